//! A real PostgreSQL: what of its faults it shows itself, and what of what it said was committed is there when its power has failed.

use std::time::Duration;

use crate::scene::Scene;

/// Where its programs are, in a script.
const PROGRAMS: &str =
    "cd /; bin=$(ls -d /usr/lib/postgresql/*/bin /usr/bin 2>/dev/null | while read -r d; do [ -x $d/postgres ] && echo $d && break; done)";

/// The user that it runs as: it refuses to be root.
const AS: &str = "setpriv --reuid=postgres --regid=postgres --init-groups";

fn system(data: &str, options: &str) -> String {
    format!(
        "{{name: postgres, process: {{pattern: '(^|/)postgres(:| -D)'}}, \
         start: {{user: postgres, command: \"{PROGRAMS}; exec $bin/postgres -D {data} -k /tmp {options}\"}}}}"
    )
}

/// Makes a database cluster, in a script.
fn make(data: &str) -> String {
    format!("{PROGRAMS}; mkdir -p {data}; chown postgres {data}; {AS} $bin/initdb -D {data} >/dev/null")
}

async fn is_there(scene: &Scene) -> bool {
    let is_there = scene.on(1, &format!("{PROGRAMS}; [ -n \"$bin\" ] && {AS} true && echo yes; true")).await.trim() == "yes";
    if !is_there {
        println!("  skipped: PostgreSQL is not installed, or cannot be run as its user here");
    }
    is_there
}

/// Starts it, and fails unless it answers.
async fn start(scene: &Scene) {
    scene.cluster.system.as_ref().unwrap().start(&scene.cluster.nodes[0]).await.unwrap();
    assert!(await_answer(scene, Duration::from_secs(60)).await, "{}", scene.on(1, "tail /var/log/elenchus/*; true").await);
}

/// Looks at one that runs on n1 with these options.
async fn while_running(scene: &Scene, options: &str, look: impl AsyncFnOnce(&Scene)) {
    let scene = scene.with_system(&system("/var/tmp/postgres/data", options));
    scene.on(1, &make("/var/tmp/postgres/data")).await;
    start(&scene).await;
    look(&scene).await;
    scene.cluster.system.as_ref().unwrap().tear_down(&scene.cluster.nodes).await.unwrap();
    scene.on(1, "rm -rf /var/tmp/postgres").await;
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
async fn rows_left(scene: &Scene, fsync: &str, torn: &str) -> String {
    let scene = scene.with_system(&system("/var/tmp/disk/data", &format!("-c listen_addresses= -c fsync={fsync}")));
    let node = &scene.cluster.nodes[0];
    let line = format!("power_failure: {{targets: {{nodes: [n1]}}, directory: /var/tmp/disk{torn}}}, after_operations: 1");
    let mut left = String::new();
    let lines = [line.as_str()];
    let failed = scene.while_staged(
        &lines,
        async || {
            scene.on(1, &make("/var/tmp/disk/data")).await;
            start(&scene).await;
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
    if !is_there(scene).await {
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

/// How far off a clock that is right may seem to be: machines that run tests are slow, and clocks are made much more wrong.
const SLACK: i64 = 600 * SECOND;

/// What it says the time is, and what time it was before and after: nanoseconds since 1970.
struct Told {
    shown: i64,
    from: i64,
    to: i64,
}

impl Told {
    fn ahead(&self) -> i64 {
        self.shown - self.from
    }
}

/// The time as it tells it, as text of SQL.
const TIME: &str = "select (extract(epoch from clock_timestamp()) * 1000000000)::bigint";

/// Between two looks at the node's own clock, which is right, a script prints what time it is to something else.
async fn told(scene: &Scene, ask: &str) -> Told {
    let said = scene.on(1, &format!("date +%s%N; {ask}; date +%s%N")).await;
    let numbers: Vec<i64> = said.lines().filter_map(|line| line.trim().parse().ok()).collect();
    let &[from, shown, to] = numbers.as_slice() else { panic!("no time was told: {said}") };
    Told { shown, from, to }
}

/// To a backend that is forked for it.
async fn told_to_a_new_connection(scene: &Scene) -> Told {
    told(scene, &query(TIME)).await
}

/// To a backend that was there before, whose session reads its statements from a file that grows.
async fn told_to_an_old_connection(scene: &Scene) -> Told {
    let ask = format!(
        "cd /var/tmp/postgres; before=$(wc -l <said); echo '{TIME};' >>asked; tries=0; \
         until [ $(wc -l <said) -gt $before ] || [ $tries -gt 1200 ]; do sleep 0.05; tries=$((tries + 1)); done; tail -n 1 said"
    );
    told(scene, &ask).await
}

/// To its checkpointer, which runs as long as it does, and writes the time before what it logs.
async fn told_to_its_checkpointer(scene: &Scene) -> Told {
    let logged = "cat /var/log/elenchus/* | sed -n 's/^\\([0-9]*\\)\\.\\([0-9]*\\),checkpointer,.*/\\1\\2000000/p'";
    told(scene, &format!("{} >/dev/null; {logged} | tail -n 1", query("checkpoint"))).await
}

async fn assert_ahead(scene: &Scene, expected: i64, when: &str) {
    let readings = [
        ("a new connection", told_to_a_new_connection(scene).await),
        ("an old connection", told_to_an_old_connection(scene).await),
        ("the checkpointer", told_to_its_checkpointer(scene).await),
    ];
    for (whose, told) in readings {
        assert!((told.ahead() - expected).abs() < SLACK, "{when}: {whose} is {} ns ahead, not {expected}", told.ahead());
    }
}

/// It forks a process for each connection: those that are there, those that come while its clock is wrong, and those that come afterwards.
pub(crate) async fn its_clock_is_wrong_in_all_its_processes(scene: &Scene) {
    if !is_there(scene).await {
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
                .while_broken(&format!("clock: {{targets: {{nodes: [n1]}}, how: {how}}}"), async || assert_ahead(scene, ahead, how).await)
                .await;
            assert_ahead(scene, 0, "healed").await;
        }
        scene
            .while_broken("clock: {targets: {nodes: [n1]}, how: {drift: 99}}", async || {
                let (new, old) = (told_to_a_new_connection(scene).await, told_to_an_old_connection(scene).await);
                tokio::time::sleep(Duration::from_secs(2)).await;
                for (before, after) in [(new, told_to_a_new_connection(scene).await), (old, told_to_an_old_connection(scene).await)] {
                    // It was asked some time between the looks at the true clock.
                    let (least, most) = ((after.from - before.to) * 100, (after.to - before.from) * 100);
                    let gained = after.shown - before.shown;
                    assert!((least - SECOND..most + SECOND).contains(&gained), "{gained} ns in {least} to {most}");
                }
            })
            .await;
        assert_ahead(scene, 0, "healed of a drift").await;
        scene.on(1, "pkill -f 'tail -f aske[d]'; true").await;
    })
    .await;
}

/// What a client on another node is told of a number between a hundred and a thousand, and of a text, so many times.
async fn told_to_others(scene: &Scene, times: u32) -> Vec<String> {
    let address = &scene.cluster.nodes[0].address;
    let ask = format!(
        "{PROGRAMS}; for turn in $(seq {times}); do \
         $bin/psql -w -h {address} -U postgres -d postgres -qAt -c \"select 538, 'faithful'\" 2>&1; done"
    );
    scene.on(2, &ask).await.lines().map(str::to_owned).collect()
}

/// A server that lies in a protocol that its clients understand.
pub(crate) async fn values_are_altered_on_their_way(scene: &Scene) {
    if !is_there(scene).await {
        return;
    }
    let options = "-c listen_addresses=* -c ssl=off -c hba_file=/var/tmp/postgres/trust";
    scene.on(1, "mkdir -p /var/tmp/postgres; echo 'host all all all trust' >/var/tmp/postgres/trust; echo 'local all all trust' >>/var/tmp/postgres/trust").await;
    while_running(scene, options, async |scene| {
        let whole = "538|faithful";
        assert_eq!(told_to_others(scene, 3).await, [whole; 3]);
        for (share, least) in [("1", 20), ("0.5", 1)] {
            let line = format!(
                "proxy: {{targets: {{nodes: [n1]}}, port: 5432, from: nodes, how: {{lose_replies: 0, alter: {{share: {share}, protocol: postgres}}}}}}"
            );
            scene
                .while_broken(&line, async || {
                    let told = told_to_others(scene, 20).await;
                    let is_row = |said: &String| {
                        let is_number = said.split_once('|').is_some_and(|(number, _)| number.parse().is_ok_and(|it: u32| it > 99));
                        is_number && said.len() == whole.len()
                    };
                    assert!(told.len() == 20 && told.iter().all(is_row), "each is a row: {told:?}");
                    let altered = told.iter().filter(|said| *said != whole).count();
                    assert!(altered >= least, "{altered} of 20 at {share}: {told:?}");
                })
                .await;
            assert_eq!(told_to_others(scene, 3).await, [whole; 3], "healed");
        }
    })
    .await;
}
