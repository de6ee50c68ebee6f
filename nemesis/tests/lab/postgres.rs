//! A real PostgreSQL whose power fails: what it said was committed is there, unless it was told not to sync.

use std::time::Duration;

use crate::scene::Scene;

/// Where its programs are, in a script.
const PROGRAMS: &str =
    "cd /; bin=$(ls -d /usr/lib/postgresql/*/bin /usr/bin 2>/dev/null | while read -r d; do [ -x $d/postgres ] && echo $d && break; done)";

/// The user that it runs as: it refuses to be root.
const AS: &str = "setpriv --reuid=postgres --regid=postgres --init-groups";

fn system(fsync: &str) -> String {
    format!(
        "{{name: postgres, process: {{pattern: '(^|/)postgres(:| -D)'}}, \
         start: {{user: postgres, command: \"{PROGRAMS}; exec $bin/postgres -D /var/tmp/disk/data -k /tmp -c listen_addresses= -c fsync={fsync}\"}}}}"
    )
}

/// How many rows are committed, one after the other.
const ROWS: u32 = 200;

/// What a query prints, or fails with.
fn query(text: &str) -> String {
    format!("{PROGRAMS}; {AS} $bin/psql -h /tmp -d postgres -v ON_ERROR_STOP=1 -qAt -c \"{text}\" 2>&1")
}

async fn await_answer(scene: &Scene, patience: Duration) -> bool {
    let asked = format!("{} | grep -qx 1 && echo yes; true", query("select 1"));
    let began = std::time::Instant::now();
    while began.elapsed() < patience {
        if scene.on(1, &asked).await.trim() == "yes" {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    false
}

/// How many of the rows that were committed are there after the power failed, or why it cannot be told.
async fn rows_left(scene: &Scene, fsync: &str) -> String {
    let scene = scene.with_system(&system(fsync));
    let node = &scene.cluster.nodes[0];
    let (mut left, lines) = (String::new(), ["power_failure: {targets: {nodes: [n1]}, directory: /var/tmp/disk}, after_operations: 1"]);
    let failed = scene.while_staged(
        &lines,
        async || {
            let make = format!(
                "{PROGRAMS}; mkdir /var/tmp/disk/data; chown postgres /var/tmp/disk/data; {AS} $bin/initdb -D /var/tmp/disk/data >/dev/null"
            );
            scene.on(1, &make).await;
            scene.cluster.system.as_ref().unwrap().start(node).await.unwrap();
            assert!(await_answer(&scene, Duration::from_secs(60)).await, "{}", scene.on(1, "tail /var/log/elenchus/*; true").await);
            // Each statement is a transaction, and psql ends when one is not committed.
            let rows = format!(
                "create table acknowledged (row int); {}",
                (1..=ROWS).map(|row| format!("insert into acknowledged values ({row}); ")).collect::<String>()
            );
            scene.on(1, &format!("{PROGRAMS}; printf '%s' '{rows}' | {AS} $bin/psql -h /tmp -d postgres -v ON_ERROR_STOP=1 -q")).await;
        },
        async || {
            scene.cluster.system.as_ref().unwrap().start(node).await.unwrap();
            left = match await_answer(&scene, Duration::from_secs(60)).await {
                true => scene.on(1, &format!("{}; true", query("select count(*) from acknowledged"))).await.trim().to_owned(),
                false => "it does not start".into(),
            };
        },
    );
    let (said, outcome) = failed.await.unwrap();
    assert!(outcome.injected == 1 && outcome.unhealed.is_empty(), "{said:?}");
    scene.cluster.system.as_ref().unwrap().tear_down(&scene.cluster.nodes).await.unwrap();
    scene.on(1, "rm -rf /var/tmp/disk").await;
    left
}

pub(crate) async fn what_it_said_is_committed_survives_unless_it_does_not_sync(scene: &Scene) {
    let is_there = format!("{PROGRAMS}; [ -n \"$bin\" ] && {AS} true && echo yes; true");
    if scene.on(1, &is_there).await.trim() != "yes" {
        println!("  skipped: PostgreSQL is not installed, or cannot be run as its user here");
        return;
    }
    assert_eq!(rows_left(scene, "on").await, ROWS.to_string());
    let without = rows_left(scene, "off").await;
    assert!(
        without.contains("does not exist") || without == "it does not start" || without.parse::<u32>().is_ok_and(|rows| rows < ROWS),
        "{without}"
    );
}
