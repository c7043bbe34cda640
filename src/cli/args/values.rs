//! How values are read.

use std::time::Duration;

/// Clocks can be set further ahead than this.
const LONGEST: Duration = Duration::from_secs(1000 * 24 * 60 * 60);

/// A parser of whole numbers in a range.
pub(super) fn whole<N: TryFrom<u64>>(least: u64, most: u64) -> impl Fn(&str) -> Result<N, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        let error = || match most {
            u64::MAX => format!("give a whole number from {least} to 2^64-1"),
            _ => format!("give a whole number from {least} to {most}"),
        };
        number.and_then(|number| N::try_from(number).ok()).ok_or_else(error)
    }
}

/// How long to go on, with a unit: whoever writes 5 hardly means seconds.
pub(in crate::cli) fn session_time(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(number @ 1..) => {
            Err(format!("it has no unit. Write {number}s for seconds or {number}m for minutes"))
        }
        _ => duration(text),
    }
}

/// A time as people write it: `90s`, `30m`, `2h 15m`, or a bare number of seconds.
pub(in crate::cli) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<u64>() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text),
    };
    match parsed {
        Ok(time) if time.is_zero() => {
            Err("a time of 0 leaves nothing to do; give a time like 30s or 10m".into())
        }
        Ok(time) if time <= LONGEST => Ok(time),
        Ok(_) => Err("give a time of no more than 1000 days".into()),
        Err(_) => Err("write a time like 90s, 30m or 2h".into()),
    }
}
