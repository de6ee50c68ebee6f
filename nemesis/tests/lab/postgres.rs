//! A real PostgreSQL: the effects of faults that it reports itself, and committed rows after a power failure.

use std::time::Duration;

use crate::scene::Scene;

/// A shell fragment that sets `$bin` to the folder of its programs.
const PROGRAMS: &str =
    "cd /; bin=$(ls -d /usr/lib/postgresql/*/bin /usr/bin 2>/dev/null | while read -r d; do [ -x $d/postgres ] && echo $d && break; done)";

/// The user that it runs as: it refuses to run as root.
const AS: &str = "setpriv --reuid=postgres --regid=postgres --init-groups";

fn system(data: &str, options: &str) -> String {
    format!(
        "{{name: postgres, process: {{pattern: '(^|/)postgres(:| -D)'}}, \
         start: {{user: postgres, command: \"{PROGRAMS}; exec $bin/postgres -D {data} -k /tmp {options}\"}}}}"
    )
}

/// A script that creates a database cluster.
fn make(data: &str) -> String {
    format!("{PROGRAMS}; mkdir -p {data}; chown postgres {data}; {AS} $bin/initdb -D {data} >/dev/null")
}

async fn is_installed(scene: &Scene) -> bool {
    let is_installed = scene.on(1, &format!("{PROGRAMS}; [ -n \"$bin\" ] && {AS} true && echo yes; true")).await.trim() == "yes";
    if !is_installed {
        println!("  skipped: PostgreSQL is not installed, or cannot be run as its user here");
    }
    is_installed
}

/// Starts it, and fails unless it answers.
async fn start(scene: &Scene) {
    scene.cluster.system.as_ref().unwrap().start(&scene.cluster.nodes[0]).await.unwrap();
    assert!(await_answer(scene, Duration::from_secs(60)).await, "{}", scene.on(1, "tail /var/log/elenchus/*; true").await);
}

/// Runs `during` while an instance with these options runs on n1.
async fn while_running(scene: &Scene, options: &str, during: impl AsyncFnOnce(&Scene)) {
    let scene = scene.with_system(&system("/var/tmp/postgres/data", options));
    scene.on(1, &make("/var/tmp/postgres/data")).await;
    start(&scene).await;
    during(&scene).await;
    scene.cluster.system.as_ref().unwrap().tear_down(&scene.cluster.nodes).await.unwrap();
    scene.on(1, "rm -rf /var/tmp/postgres").await;
}

/// The number of rows that are committed, each in a transaction.
const ROWS: u32 = 200;

/// A script that prints the result of a query, or its error.
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

/// The number of committed rows that exist after the power failure, or an error.
async fn rows_left(scene: &Scene, fsync: &str, torn: &str) -> String {
    let scene = scene.with_system(&system("/var/tmp/disk/data", &format!("-c listen_addresses= -c fsync={fsync}")));
    let node = &scene.cluster.nodes[0];
    let line = format!("power_failure: {{targets: {{nodes: [n1]}}, directory: /var/tmp/disk{torn}}}, after_operations: 1");
    let mut left = String::new();
    let lines = [line.as_str()];
    let failed = scene.run_staged_faults(
        &lines,
        async || {
            scene.on(1, &make("/var/tmp/disk/data")).await;
            start(&scene).await;
            // Each statement is a transaction; psql exits at the first error.
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

pub(crate) async fn commits_survive_power_failures_only_with_fsync(scene: &Scene) {
    if !is_installed(scene).await {
        return;
    }
    for torn in ["", ", torn: 512"] {
        assert_eq!(rows_left(scene, "on", torn).await, ROWS.to_string(), "{torn}");
    }
    let without = rows_left(scene, "off", "").await;
    assert!(
        without.contains("does not exist") || without == "it does not start" || without.parse::<u32>().is_ok_and(|rows| rows < ROWS),
        "{without}"
    );
}

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// The tolerance for readings of clocks on slow test machines; the changes are much larger.
const SLACK: i64 = 600 * SECOND;

/// A time that PostgreSQL shows, with the true times before and after, in nanoseconds since 1970.
struct ShownTime {
    shown: i64,
    from: i64,
    to: i64,
}

impl ShownTime {
    fn ahead(&self) -> i64 {
        self.shown - self.from
    }
}

/// A query for the time.
const TIME: &str = "select (extract(epoch from clock_timestamp()) * 1000000000)::bigint";

/// Runs a script that prints a time, between two readings of the node's own clock.
async fn shown_time(scene: &Scene, ask: &str) -> ShownTime {
    let said = scene.on(1, &format!("date +%s%N; {ask}; date +%s%N")).await;
    let numbers: Vec<i64> = said.lines().filter_map(|line| line.trim().parse().ok()).collect();
    let &[from, shown, to] = numbers.as_slice() else { panic!("no time was told: {said}") };
    ShownTime { shown, from, to }
}

/// The time in a new backend.
async fn time_in_new_connection(scene: &Scene) -> ShownTime {
    shown_time(scene, &query(TIME)).await
}

/// The time in an existing backend, whose session reads statements from a file.
async fn time_in_old_connection(scene: &Scene) -> ShownTime {
    let ask = format!(
        "cd /var/tmp/postgres; before=$(wc -l <said); echo '{TIME};' >>asked; tries=0; \
         until [ $(wc -l <said) -gt $before ] || [ $tries -gt 1200 ]; do sleep 0.05; tries=$((tries + 1)); done; tail -n 1 said"
    );
    shown_time(scene, &ask).await
}

/// The time in the checkpointer, from its log lines.
async fn time_in_checkpointer(scene: &Scene) -> ShownTime {
    let logged = "cat /var/log/elenchus/* | sed -n 's/^\\([0-9]*\\)\\.\\([0-9]*\\),checkpointer,.*/\\1\\2000000/p'";
    shown_time(scene, &format!("{} >/dev/null; {logged} | tail -n 1", query("checkpoint"))).await
}

async fn assert_ahead(scene: &Scene, expected: i64, when: &str) {
    let readings = [
        ("a new connection", time_in_new_connection(scene).await),
        ("an old connection", time_in_old_connection(scene).await),
        ("the checkpointer", time_in_checkpointer(scene).await),
    ];
    for (whose, told) in readings {
        assert!((told.ahead() - expected).abs() < SLACK, "{when}: {whose} is {} ns ahead, not {expected}", told.ahead());
    }
}

/// PostgreSQL forks a backend per connection: existing backends, backends forked during the fault, and those forked afterwards.
pub(crate) async fn clocks_change_in_all_backends(scene: &Scene) {
    if !is_installed(scene).await {
        return;
    }
    let options = "-c listen_addresses= -c log_checkpoints=on -c log_line_prefix=%n,%b,";
    while_running(scene, options, async |scene| {
        let session = format!(
            "{PROGRAMS}; cd /var/tmp/postgres; : >asked; : >said; \
             (tail -f asked | {AS} $bin/psql -h /tmp -d postgres -qAt) >said 2>&1 </dev/null &"
        );
        scene.on(1, &session).await;
        assert_ahead(scene, 0, "before").await;
        for (how, ahead) in [("{bump: 24h}", 24 * 3600 * SECOND), ("{bump: -24h}", -24 * 3600 * SECOND)] {
            scene
                .while_active(&format!("clock: {{targets: {{nodes: [n1]}}, how: {how}}}"), async || assert_ahead(scene, ahead, how).await)
                .await;
            assert_ahead(scene, 0, "healed").await;
        }
        scene
            .while_active("clock: {targets: {nodes: [n1]}, how: {drift: 99}}", async || {
                let (new, old) = (time_in_new_connection(scene).await, time_in_old_connection(scene).await);
                tokio::time::sleep(Duration::from_secs(2)).await;
                for (before, after) in [(new, time_in_new_connection(scene).await), (old, time_in_old_connection(scene).await)] {
                    // Each reading was made at some time between two readings of the true clock.
                    let (least, most) = ((after.from - before.to) * 100, (after.to - before.from) * 100);
                    let gained = after.shown - before.shown;
                    assert!((least - SECOND..most + SECOND).contains(&gained), "{gained} ns in {least} to {most}");
                }
            })
            .await;
        assert_ahead(scene, 0, "after a drift is healed").await;
        scene.on(1, "pkill -f 'tail -f aske[d]'; true").await;
    })
    .await;
}

/// The rows that a client on another node receives for a query, repeated `times` times.
async fn remote_query(scene: &Scene, times: u32) -> Vec<String> {
    let address = &scene.cluster.nodes[0].address;
    let ask = format!(
        "{PROGRAMS}; for turn in $(seq {times}); do \
         $bin/psql -w -h {address} -U postgres -d postgres -qAt -c \"select 538, 'faithful'\" 2>&1; done"
    );
    scene.on(2, &ask).await.lines().map(str::to_owned).collect()
}

/// Altered rows stay well-formed in the PostgreSQL protocol.
pub(crate) async fn altered_rows_stay_well_formed(scene: &Scene) {
    if !is_installed(scene).await {
        return;
    }
    let options = "-c listen_addresses=* -c ssl=off -c hba_file=/var/tmp/postgres/trust";
    scene.on(1, "mkdir -p /var/tmp/postgres; echo 'host all all all trust' >/var/tmp/postgres/trust; echo 'local all all trust' >>/var/tmp/postgres/trust").await;
    while_running(scene, options, async |scene| {
        let whole = "538|faithful";
        assert_eq!(remote_query(scene, 3).await, [whole; 3]);
        for (share, least) in [("1", 20), ("0.5", 1)] {
            let line = format!(
                "proxy: {{targets: {{nodes: [n1]}}, port: 5432, from: nodes, how: {{lose_replies: 0, alter: {{share: {share}, protocol: postgres}}}}}}"
            );
            scene
                .while_active(&line, async || {
                    let told = remote_query(scene, 20).await;
                    let is_row = |said: &String| {
                        let is_number = said.split_once('|').is_some_and(|(number, _)| number.parse().is_ok_and(|it: u32| it > 99));
                        is_number && said.len() == whole.len()
                    };
                    assert!(told.len() == 20 && told.iter().all(is_row), "every reply is a row: {told:?}");
                    let altered = told.iter().filter(|said| *said != whole).count();
                    assert!(altered >= least, "{altered} of 20 at {share}: {told:?}");
                })
                .await;
            assert_eq!(remote_query(scene, 3).await, [whole; 3], "healed");
        }
    })
    .await;
}
