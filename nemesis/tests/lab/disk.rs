//! Damage to files of a stopped system.

use crate::scene::Scene;

/// Creates three files of 4096 bytes 0xff, and a copy for comparison with `cmp`.
const FILES: &str = "rm -rf /var/tmp/data; mkdir -p /var/tmp/data; for file in a b c; do head -c 4096 /dev/zero | tr '\\0' '\\377' >/var/tmp/data/$file; done; \
                     cp /var/tmp/data/a /var/tmp/whole";

pub(crate) async fn bits_are_flipped(scene: &Scene) {
    scene.on(2, FILES).await;
    let differing = "for file in a b c; do cmp -l /var/tmp/data/$file /var/tmp/whole | wc -l; done | sort -n | tr '\\n' ' '";
    scene
        .while_active("damage: {targets: {nodes: [n2]}, files: '/var/tmp/data/*', how: {flip: 3}, count: 2, restore: true}", async || {
            assert_eq!(scene.on(2, differing).await, "0 3 3");
            // In each byte that differs exactly one bit is cleared.
            let bytes = scene.on(2, "cmp -l /var/tmp/data/a /var/tmp/whole; cmp -l /var/tmp/data/b /var/tmp/whole; cmp -l /var/tmp/data/c /var/tmp/whole; true").await;
            let values = bytes.lines().map(|line| u32::from_str_radix(line.split_whitespace().nth(1).unwrap(), 8).unwrap());
            assert!(values.clone().count() == 6 && values.into_iter().all(|value| value.count_ones() == 7), "{bytes}");
            scene.await_servers().await;
            assert_eq!(scene.probe(1, "tcp", 2, 7000).await, "ok", "the system runs on the damaged files");
        })
        .await;
    assert_eq!(scene.on(2, differing).await, "0 0 0");
    scene.on(2, "rm -rf /var/tmp/data /var/tmp/whole").await;
}

pub(crate) async fn truncation_zeroing_and_deletion_are_permanent(scene: &Scene) {
    for (how, during) in [("{truncate: 1000}", "3096 0"), ("{zero: 1000}", "4096 1000"), ("{truncate: 10000}", "0 0"), ("delete", "gone")] {
        scene.on(3, FILES).await;
        let found =
            "if [ -e /var/tmp/data/b ]; then echo $(wc -c </var/tmp/data/b) $(tr -d '\\377' </var/tmp/data/b | wc -c); else echo gone; fi";
        scene
            .while_active(&format!("damage: {{targets: {{nodes: [n3]}}, files: /var/tmp/data/b, how: {how}}}"), async || {
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
    let (said, outcome) = scene.run_faults(&["damage: {targets: {nodes: [n3]}, files: '/var/tmp/data/*'}"], async || {}).await.unwrap();
    assert!(said[1].2.as_ref().is_some_and(|why| why.contains("no file matches")) && outcome.injected == 0, "{said:?}");
}

/// A directory that changes after its copy was made: the rollback discards the changes, and the heal restores them only on request.
pub(crate) async fn a_rollback_restores_an_older_copy(scene: &Scene) {
    let writing = "rm -rf /var/tmp/data; mkdir -p /var/tmp/data/in; echo old >/var/tmp/data/in/file; \
                   setsid sh -c 'until [ -e /var/tmp/elenchus-rollback-*/older/in/file ]; do sleep 0.1; done; sleep 0.5; \
                   echo new >/var/tmp/data/in/file; echo more >/var/tmp/data/more' >/dev/null 2>&1 </dev/null &";
    let found = "cat /var/tmp/data/in/file /var/tmp/data/more 2>/dev/null | tr '\\n' ' '";
    for (restore, healed) in [("true", "new more"), ("false", "old")] {
        scene.on(2, writing).await;
        scene
            .while_active(
                &format!("rollback: {{targets: {{nodes: [n2]}}, path: /var/tmp/data, age: 4s, restore: {restore}}}"),
                async || {
                    assert_eq!(scene.on(2, found).await.trim(), "old");
                    scene.await_servers().await;
                    assert_eq!(scene.probe(1, "tcp", 2, 7000).await, "ok", "the system runs on the old files");
                },
            )
            .await;
        assert_eq!(scene.on(2, found).await.trim(), healed, "restore: {restore}");
    }
    scene.on(2, "rm -rf /var/tmp/data").await;
}
