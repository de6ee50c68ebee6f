//! Files at rest.

use crate::scene::Scene;

/// Three files of 4096 bytes 255, and what differs from them, byte by byte, as `cmp` says.
const FILES: &str = "rm -rf /var/tmp/data; mkdir -p /var/tmp/data; for file in a b c; do head -c 4096 /dev/zero | tr '\\0' '\\377' >/var/tmp/data/$file; done; \
                     cp /var/tmp/data/a /var/tmp/whole";

pub(crate) async fn bits_are_flipped_where_the_seed_says(scene: &Scene) {
    scene.on(2, FILES).await;
    let differing = "for file in a b c; do cmp -l /var/tmp/data/$file /var/tmp/whole | wc -l; done | sort -n | tr '\\n' ' '";
    scene
        .while_broken("damage: {targets: {nodes: [n2]}, files: '/var/tmp/data/*', how: {flip: 3}, count: 2, restore: true}", async || {
            assert_eq!(scene.on(2, differing).await, "0 3 3");
            // In each byte that differs, one bit does: of all ones, one is missing.
            let bytes = scene.on(2, "cmp -l /var/tmp/data/a /var/tmp/whole; cmp -l /var/tmp/data/b /var/tmp/whole; cmp -l /var/tmp/data/c /var/tmp/whole; true").await;
            let values = bytes.lines().map(|line| u32::from_str_radix(line.split_whitespace().nth(1).unwrap(), 8).unwrap());
            assert!(values.clone().count() == 6 && values.into_iter().all(|value| value.count_ones() == 7), "{bytes}");
            scene.await_servers().await;
            assert_eq!(scene.probe(1, "tcp", 2, 7000).await, "ok", "it was started on what is left");
        })
        .await;
    assert_eq!(scene.on(2, differing).await, "0 0 0");
    scene.on(2, "rm -rf /var/tmp/data /var/tmp/whole").await;
}

pub(crate) async fn ends_are_lost_and_stay_lost(scene: &Scene) {
    for (how, during) in [("{truncate: 1000}", "3096 0"), ("{zero: 1000}", "4096 1000"), ("{truncate: 10000}", "0 0"), ("delete", "gone")] {
        scene.on(3, FILES).await;
        let found =
            "if [ -e /var/tmp/data/b ]; then echo $(wc -c </var/tmp/data/b) $(tr -d '\\377' </var/tmp/data/b | wc -c); else echo gone; fi";
        scene
            .while_broken(&format!("damage: {{targets: {{nodes: [n3]}}, files: /var/tmp/data/b, how: {how}}}"), async || {
                assert_eq!(scene.on(3, found).await, during, "{how}");
            })
            .await;
        assert_eq!(scene.on(3, found).await, during, "{how}, healed");
        assert_eq!(
            scene.on(3, "cmp /var/tmp/data/a /var/tmp/whole; ls -d /var/tmp/elenchus-damage* 2>/dev/null || echo none").await,
            "none"
        );
    }
    scene.on(3, "rm -rf /var/tmp/data /var/tmp/whole").await;
    let (said, outcome) = scene.while_injected(&["damage: {targets: {nodes: [n3]}, files: '/var/tmp/data/*'}"], async || {}).await.unwrap();
    assert!(said[1].2.as_ref().is_some_and(|why| why.contains("no file matches")) && outcome.injected == 0, "{said:?}");
}

/// A directory that changes as soon as it is copied: what was written since is gone, and comes back only if it is asked for.
pub(crate) async fn what_is_rolled_back_is_as_it_was(scene: &Scene) {
    let writing = "rm -rf /var/tmp/data; mkdir -p /var/tmp/data/in; echo old >/var/tmp/data/in/file; \
                   setsid sh -c 'until [ -e /var/tmp/elenchus-rollback-*/older/in/file ]; do sleep 0.1; done; sleep 0.5; \
                   echo new >/var/tmp/data/in/file; echo more >/var/tmp/data/more' >/dev/null 2>&1 </dev/null &";
    let found = "cat /var/tmp/data/in/file /var/tmp/data/more 2>/dev/null | tr '\\n' ' '";
    for (restore, healed) in [("true", "new more"), ("false", "old")] {
        scene.on(2, writing).await;
        scene
            .while_broken(
                &format!("rollback: {{targets: {{nodes: [n2]}}, path: /var/tmp/data, age: 4s, restore: {restore}}}"),
                async || {
                    assert_eq!(scene.on(2, found).await.trim(), "old");
                    scene.await_servers().await;
                    assert_eq!(scene.probe(1, "tcp", 2, 7000).await, "ok", "it was started on what is old");
                },
            )
            .await;
        assert_eq!(scene.on(2, found).await.trim(), healed, "restore: {restore}");
    }
    scene.on(2, "rm -rf /var/tmp/data").await;
}
