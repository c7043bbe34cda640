//! State that lies in installed libraries: each suite has one polluter and one victim, of which the place is told as the
//! library's users call it, proved by putting it back, and left as it was by a fix that uses the library's own way.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support;

fn python() -> PathBuf {
    let requirements = "pytest==8.4.2\npytest-xdist==3.8.0\npytest-django==4.14.0\ndjango==5.2.19\n\
        prometheus_client==0.26.0\nstructlog==26.1.0\nfreezegun==1.5.5\ntime-machine==3.6.0\nresponses==0.26.3\n\
        numpy==2.4.6\nmatplotlib==3.11.2\npandas==3.1.1\n";
    support::python_with("libraries", requirements)
}

/// What a fix has to hold, or that there is none.
enum Fixed {
    By(&'static str),
    Not,
}

/// A session finds failures, and behind the first this place.
fn explains(files: &[(&str, &str)], place: &str, written: Option<&str>, fixed: &Fixed) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let mut command = support::jostle(folder.path());
    command.args(["stress", "--seed", "1", "--trials", "4", "--json"]).arg("--python").arg(python());
    let output = command.output().expect("jostle runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let findings = report["findings"].as_array().expect("findings");
    let confirmed = findings.iter().map(|finding| &finding["explanation"]["confirmed"]);
    assert!(!findings.is_empty() && confirmed.eq(findings.iter().map(|_| true)), "{report:#}");
    let explanation = &findings[0]["explanation"];
    let places = explanation["places"].as_array().expect("places");
    let names: Vec<&str> = places.iter().filter_map(|place| place["name"].as_str()).collect();
    assert_eq!(names, [place]);
    if let Some(written) = written {
        let line = &places[0]["written"];
        let at = format!("{}:{}", line["file"].as_str().unwrap_or_default(), line["line"]);
        assert_eq!(at, written, "{line}");
    }
    let diff = explanation["fix"]["diff"].as_str();
    match fixed {
        Fixed::By(text) => assert!(diff.is_some_and(|diff| diff.contains(text)), "{explanation:#}"),
        Fixed::Not => assert_eq!(diff, None),
    }
}

#[test]
#[ignore = "at night: it installs libraries"]
fn a_registry_of_metrics() {
    let shop =
        "import prometheus_client\n\n\ndef app():\n    return prometheus_client.Gauge('in_progress', 'x')\n";
    let test = "import shop\n\n\ndef test_first():\n    assert shop.app()\n\n\ndef test_second():\n    assert shop.app()\n\n\n\
        def test_other():\n    assert shop\n";
    explains(
        &[("shop.py", shop), ("test_shop.py", test)],
        r#"prometheus_client.REGISTRY._names_to_collectors["in_progress"]"#,
        Some("shop.py:5"),
        &Fixed::By("prometheus_client.REGISTRY.unregister(collector)"),
    );
}

#[test]
#[ignore = "at night: it installs libraries"]
fn the_style_of_plots() {
    let test = "import matplotlib\n\n\ndef test_large():\n    matplotlib.rcParams['font.size'] = 33\n\n\n\
        def test_default():\n    assert matplotlib.rcParams['font.size'] == 10\n\n\ndef test_other():\n    pass\n";
    let place = r#"matplotlib.rcParams["font.size"]"#;
    let fix = Fixed::By("with matplotlib.rc_context():");
    explains(&[("test_plots.py", test)], place, Some("test_plots.py:5"), &fix);
}

#[test]
#[ignore = "at night: it installs libraries"]
fn figures_that_stay_open() {
    let test = "import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\n\n\n\
        def test_plots():\n    plt.figure()\n\n\ndef test_none_is_open():\n    assert plt.get_fignums() == []\n\n\n\
        def test_other():\n    pass\n";
    let place = "matplotlib._pylab_helpers.Gcf.figs[1]";
    let fix = Fixed::By(r#"matplotlib.pyplot.close("all")"#);
    explains(&[("test_plots.py", test)], place, Some("test_plots.py:7"), &fix);
}

#[test]
#[ignore = "at night: it installs libraries"]
fn options_of_tables() {
    let test = "import pandas as pd\n\n\ndef test_rounds():\n    pd.set_option('display.precision', 2)\n\n\n\
        def test_default():\n    assert pd.get_option('display.precision') == 6\n\n\ndef test_other():\n    pass\n";
    let place = "pandas.options.display.precision";
    explains(
        &[("test_tables.py", test)],
        place,
        Some("test_tables.py:5"),
        &Fixed::By("pandas.option_context("),
    );
}

#[test]
#[ignore = "at night: it installs libraries"]
fn how_arrays_are_printed_and_what_their_errors_do() {
    for (sets, sees, place, fix) in [
        (
            "np.set_printoptions(precision=2)",
            "repr(np.array([1.23456])) == 'array([1.23456])'",
            r#"numpy.get_printoptions()["precision"]"#,
            "with numpy.printoptions():",
        ),
        (
            "np.seterr(divide='raise')",
            "np.geterr()['divide'] == 'warn'",
            r#"numpy.geterr()["divide"]"#,
            "with numpy.errstate():",
        ),
    ] {
        let test = format!(
            "import numpy as np\n\n\ndef test_sets():\n    {sets}\n\n\ndef test_default():\n    assert {sees}\n\n\n\
             def test_other():\n    pass\n"
        );
        explains(&[("test_arrays.py", &test)], place, Some("test_arrays.py:5"), &Fixed::By(fix));
    }
}

#[test]
#[ignore = "at night: it installs libraries"]
fn types_that_django_remembers() {
    let settings = "SECRET_KEY = 'x'\nINSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth']\n\
        DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}\n";
    let test = "import pytest\nfrom django.contrib.auth.models import Permission\n\
        from django.contrib.contenttypes.models import ContentType\n\n\
        pytestmark = pytest.mark.django_db\n\n\n\
        def test_asks():\n    assert ContentType.objects.get_for_model(Permission)\n\n\n\
        def test_asks_once(django_assert_num_queries):\n    with django_assert_num_queries(1):\n        \
        ContentType.objects.get_for_model(Permission)\n\n\ndef test_other():\n    pass\n";
    let conftest = "import pytest\n\n\n@pytest.fixture(autouse=True, scope='session')\ndef forget(django_db_setup):\n    \
        from django.contrib.contenttypes.models import ContentType\n    ContentType.objects.clear_cache()\n";
    let ini = "[pytest]\nDJANGO_SETTINGS_MODULE = site_settings\npythonpath = .\n";
    let files = [
        ("site_settings.py", settings),
        ("conftest.py", conftest),
        ("test_types.py", test),
        ("pytest.ini", ini),
    ];
    let place = r#"the cache of django.contrib.contenttypes.models.ContentType.objects["default"]"#;
    let fix = Fixed::By("django.contrib.contenttypes.models.ContentType.objects.clear_cache()");
    explains(&files, place, None, &fix);
}

#[test]
#[ignore = "at night: it installs libraries"]
fn what_each_line_of_a_log_is_told_of() {
    let test = "import structlog\n\n\ndef test_request():\n    structlog.contextvars.bind_contextvars(request='r1')\n\n\n\
        def test_task():\n    assert structlog.contextvars.get_contextvars() == {}\n\n\ndef test_other():\n    pass\n";
    let place = r#"context variable "structlog_request" of structlog.contextvars"#;
    let fix = Fixed::By("structlog.contextvars.clear_contextvars()");
    explains(&[("test_log.py", test)], place, Some("test_log.py:5"), &fix);
}

#[test]
#[ignore = "at night: it installs libraries"]
fn time_that_stands_still() {
    for (library, freezes) in [
        ("freezegun", "freezegun.freeze_time('2021-06-01').start()"),
        ("time_machine", "time_machine.travel('2021-06-01').start()"),
    ] {
        let test = format!(
            "import time\n\nimport {library}\n\n\ndef test_freezes():\n    {freezes}\n\n\n\
             def test_is_now():\n    assert time.gmtime().tm_year > 2021\n\n\ndef test_other():\n    pass\n"
        );
        explains(&[("test_time.py", &test)], library, Some("test_time.py:7"), &Fixed::Not);
    }
}

/// The matrix of the harness's own tests, as a suite: a polluter and a victim for each place.
#[test]
#[ignore = "at night: it explains some eighty failures"]
fn wherever_a_test_can_leave_state() {
    let folder = tempfile::tempdir().expect("a folder");
    let harness = support::root().join("harness");
    let script = "import pathlib, sys, test_state_matrix as m; m.write_suite(pathlib.Path(sys.argv[1]))";
    let written = std::process::Command::new(support::light_python())
        .args(["-c", script])
        .arg(folder.path())
        .env("PYTHONPATH", format!("{}:{}", harness.display(), harness.join("tests").display()))
        .status();
    assert!(written.expect("Python runs").success());
    let places = fs::read(folder.path().join("places.json")).expect("the places");
    let places: Vec<String> = serde_json::from_slice(&places).expect("names");
    let mut command = support::jostle(&folder.path().join("project"));
    command.env("PYTHONPATH", folder.path().join("lib"));
    command.args(["stress", "--seed", "1", "--trials", "4", "--explain", "state", "--json"]);
    let output = command.arg("--python").arg(support::light_python()).output().expect("jostle runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let (mut right, mut wrong) = (BTreeSet::new(), Vec::new());
    for finding in report["findings"].as_array().expect("findings") {
        let id = finding["test"]["node_id"].as_str().unwrap_or_default();
        let number = id.trim_start_matches("test_").split('.').next().and_then(|number| number.parse().ok());
        let (Some(number), true) = (number, finding["explanation"]["confirmed"] == true) else { continue };
        let named = finding["explanation"]["places"].as_array().expect("places");
        let place: &str = places.get::<usize>(number).expect("a case of the matrix");
        match named.iter().any(|named| named["name"] == place) {
            true => _ = right.insert(number),
            false => wrong.push(format!("{id}: {named:#?} and not {place}")),
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(right.len() * 100 >= places.len() * 95, "{right:?} of {} places", places.len());
}
