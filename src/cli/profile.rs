//! Profiles: named sets of settings, put in place of the others by `--profile`.
//!
//! The command line goes before the profile of the configuration, which goes before a profile that jostle
//! brings along, which goes before the settings outside of profiles, which go before the defaults.

use crate::cli::config::Config;
use crate::cli::seed::SeedFrom;
use crate::cli::values::UsageError;

/// The profile that jostle brings along.
pub(crate) const NIGHTLY: &str = "nightly";
/// How long a night is if nobody says.
const NIGHT: &str = "1h";

/// The settings under a profile; without one, those outside of profiles.
///
/// # Errors
/// There is no profile of that name.
pub(crate) fn chosen(config: Config, name: Option<&str>) -> Result<Config, UsageError> {
    let Some(name) = name else {
        return Ok(config);
    };
    let builtin = (name == NIGHTLY).then(|| Config {
        seed: Some(SeedFrom::Date),
        time: Some(NIGHT.into()),
        ..Config::default()
    });
    let own = config.profile.get(name).cloned();
    if own.is_none() && builtin.is_none() {
        let mut names: Vec<&str> = config.profile.keys().map(String::as_str).collect();
        names.extend((!config.profile.contains_key(NIGHTLY)).then_some(NIGHTLY));
        return Err(UsageError(format!(
            "--profile {name}: there is no such profile. Give one of {}, or add [tool.jostle.profile.{name}] to the \
             suite's pyproject.toml",
            names.join(", ")
        )));
    }
    let layers = [own, builtin].into_iter().flatten();
    Ok(layers.chain([config]).reduce(over).unwrap_or_default())
}

/// The settings of `above`, and where it has none those of `below`. How long to go on is one setting with two
/// names: a profile that limits the time is not held to the number of trials below it.
fn over(above: Config, below: Config) -> Config {
    // Named one by one, so that a new setting is not forgotten here.
    let Config {
        python,
        engine,
        seed,
        trials,
        schedules,
        time,
        workers,
        dist,
        order,
        hash_seeds,
        ignore_rank,
        test_timeout,
        trial_timeout,
        failures,
        sandbox,
        share,
        network,
        disk,
        memory,
        jobs,
        report_leftovers,
        fail_fast,
        explain,
        no_explain,
        known,
        strict,
        history,
        junit,
        html,
        code_quality,
        sarif,
        state,
        services,
        leaks,
        pytest_args,
        profile,
    } = below;
    let explain = above.explain.or(explain.filter(|_| above.no_explain.is_none()));
    let limited = above.trials.is_some() || above.time.is_some();
    let (trials, time) = if limited { (above.trials, above.time) } else { (trials, time) };
    Config {
        python: above.python.or(python),
        engine: above.engine.or(engine),
        seed: above.seed.or(seed),
        trials,
        schedules: above.schedules.or(schedules),
        time,
        workers: above.workers.or(workers),
        dist: above.dist.or(dist),
        order: above.order.or(order),
        hash_seeds: above.hash_seeds.or(hash_seeds),
        ignore_rank: above.ignore_rank.or(ignore_rank),
        test_timeout: above.test_timeout.or(test_timeout),
        trial_timeout: above.trial_timeout.or(trial_timeout),
        failures: above.failures.or(failures),
        sandbox: above.sandbox.or(sandbox),
        share: above.share.or(share),
        network: above.network.or(network),
        disk: above.disk.or(disk),
        memory: above.memory.or(memory),
        jobs: above.jobs.or(jobs),
        report_leftovers: above.report_leftovers.or(report_leftovers),
        fail_fast: above.fail_fast.or(fail_fast),
        explain,
        no_explain: above.no_explain.or(no_explain),
        known: above.known.or(known),
        strict: above.strict.or(strict),
        history: above.history.or(history),
        junit: above.junit.or(junit),
        html: above.html.or(html),
        code_quality: above.code_quality.or(code_quality),
        sarif: above.sarif.or(sarif),
        state: above.state.or(state),
        services: above.services.or(services),
        leaks: above.leaks.or(leaks),
        pytest_args: above.pytest_args.or(pytest_args),
        profile,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::config::parse_own;

    const SETTINGS: &str =
        "trials = 40\nhash-seeds = 2\n\n[profile.quick]\ntrials = 4\n\n[profile.nightly]\nstrict = true\n";

    fn under(profile: Option<&str>) -> Result<Config, UsageError> {
        chosen(parse_own(SETTINGS).unwrap(), profile)
    }

    #[test]
    fn a_profile_goes_before_the_settings_outside() {
        let quick = under(Some("quick")).unwrap();
        assert_eq!((quick.trials, quick.hash_seeds), (Some(4), Some(2)));
        let none = under(None).unwrap();
        assert_eq!((none.trials, none.strict), (Some(40), None));
    }

    #[test]
    fn the_nightly_profile_is_built_in_and_can_be_changed() {
        let nightly = under(Some(NIGHTLY)).unwrap();
        assert_eq!((nightly.seed, nightly.strict), (Some(SeedFrom::Date), Some(true)));
        assert_eq!((nightly.trials, nightly.time.as_deref()), (None, Some(NIGHT)), "time in place of trials");
        let changed = parse_own("[profile.nightly]\nseed = 3\ntrials = 7\n").unwrap();
        let changed = chosen(changed, Some(NIGHTLY)).unwrap();
        assert_eq!((changed.seed, changed.trials, changed.time), (Some(SeedFrom::Number(3)), Some(7), None));
        assert_eq!(chosen(Config::default(), Some(NIGHTLY)).unwrap().time.as_deref(), Some(NIGHT));
    }

    #[test]
    fn what_a_profile_says_of_explaining_goes_before_both_names_of_it_outside() {
        let cases = [
            ("explain = \"no\"", "no-explain = false", (None, Some(false))),
            ("no-explain = true", "explain = \"state\"", (Some("state"), Some(true))),
            ("explain = \"no\"", "trials = 1", (Some("no"), None)),
            ("no-explain = true", "trials = 1", (None, Some(true))),
        ];
        for (outside, inside, expected) in cases {
            let config = parse_own(&format!("{outside}\n[profile.a]\n{inside}\n")).unwrap();
            let chosen = chosen(config, Some("a")).unwrap();
            assert_eq!((chosen.explain.as_deref(), chosen.no_explain), expected, "{outside} {inside}");
        }
    }

    #[test]
    fn an_unknown_profile_is_told_with_those_there_are() {
        let told = under(Some("weekly")).unwrap_err().0;
        assert!(told.contains("nightly, quick"), "{told}");
        assert!(chosen(Config::default(), Some("weekly")).unwrap_err().0.contains("one of nightly,"));
    }

    #[test]
    fn profiles_have_no_profiles() {
        assert!(parse_own("[profile.a.profile.b]\ntrials = 1\n").unwrap_err().contains("`a` has profiles"));
    }
}
