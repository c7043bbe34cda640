//! A finding in so many lines as are read at once: what is least needed to act on it goes first, and one line says what.
//! A patch is not among them; of that the beginning is shown.

/// How many lines a finding has at most, its patch left out.
const LINES: usize = 15;
/// How many lines of a patch are shown; most have fewer.
const PATCH_LINES: usize = 40;

/// What goes first where there are too many lines: of the lines with a label all but so many, the labels in this order.
/// Lists of tests are shortened before they go, and what was measured before what was found.
const GOES: &[(&str, usize)] = &[
    ("looked at", 0),
    ("shown", 0),
    ("commands", 0),
    ("also", 2),
    ("also polluter", 1),
    ("also victim", 1),
    ("same polluter", 1),
    ("cleaner", 1),
    ("suspect", 3),
    ("changed", 2),
    ("polluter", 3),
    ("state-setter", 3),
    (RACE, 5),
    ("diverged", 0),
    ("passed", 0),
    ("cleaner", 0),
    ("also polluter", 0),
    ("named at", 1),
    ("read at", 1),
    ("written at", 1),
    ("named at", 0),
    ("read at", 0),
    ("shared state", 2),
    ("also", 1),
    ("note", 2),
    ("changed", 0),
    ("suspect", 1),
    ("written at", 0),
    ("shared state", 1),
    ("also victim", 0),
    ("same polluter", 0),
    ("also", 0),
    ("polluter", 1),
    ("state-setter", 1),
    ("concurrent", 1),
    ("passes after", 1),
    ("fails in", 0),
    ("note", 1),
    ("proof", 0),
];
/// What a race is about, with a line for each call.
const RACE: &str = "race on";

/// A line with a label, and those below it that belong to it.
struct Block<'a> {
    label: &'a str,
    lines: Vec<&'a str>,
}

impl Block<'_> {
    /// How many lines it counts for.
    fn counts(&self) -> usize {
        if self.is_patch() { 1 } else { self.lines.len() }
    }

    fn is_patch(&self) -> bool {
        self.label == "fix"
    }

    fn written(&self) -> String {
        let most = if self.is_patch() { PATCH_LINES + 1 } else { self.lines.len() };
        let mut text: String = self.lines.iter().take(most).flat_map(|line| [line, "\n"]).collect();
        if self.lines.len() > most {
            text += &format!("    … and {} more lines of it (-v has all)\n", self.lines.len() - most);
        }
        text
    }
}

/// The lines of a finding, of which the first two have no label.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let begins = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '));
        match (begins, blocks.last_mut()) {
            (None, Some(block)) => block.lines.push(line),
            (begins, _) => {
                let label = begins.filter(|_| number > 1).and_then(|rest| rest.get(..13)).unwrap_or_default();
                blocks.push(Block { label: label.trim_end(), lines: vec![line] });
            }
        }
    }
    blocks
}

/// A finding, written with all its lines, in no more than are read at once.
pub(super) fn of(text: &str) -> String {
    let mut blocks = blocks(text);
    let mut gone: Vec<(&str, usize)> = Vec::new();
    for &(label, keep) in GOES {
        // With a line that tells what is not there.
        let over = |blocks: &[Block<'_>], gone: &[_]| {
            let lines = blocks.iter().map(Block::counts).sum::<usize>() + usize::from(!gone.is_empty());
            lines.saturating_sub(LINES)
        };
        while over(&blocks, &gone) > 0 {
            let Some(left_out) = leave_out(&mut blocks, label, keep) else {
                break;
            };
            match gone.iter_mut().find(|(label, _)| *label == left_out) {
                Some((_, lines)) => *lines += 1,
                None => gone.push((left_out, 1)),
            }
        }
    }
    let mut text: String = blocks.iter().map(Block::written).collect();
    if !gone.is_empty() {
        let named: Vec<String> = gone
            .iter()
            .map(|(label, lines)| if *lines == 1 { (*label).to_owned() } else { format!("{lines} {label}") })
            .collect();
        text += &format!("  {:<13} {} (-v has all)\n", "left out", named.join(", "));
    }
    text
}

/// Leaves out the last line with a label, if there are more of them than are kept; says what went.
fn leave_out(blocks: &mut Vec<Block<'_>>, label: &'static str, keep: usize) -> Option<&'static str> {
    let alike: Vec<usize> = (0..blocks.len()).filter(|&at| blocks[at].label == label).collect();
    let last = *alike.last()?;
    if label == RACE {
        let lines = &mut blocks[last].lines;
        return (lines.len() > keep + 1).then(|| lines.pop()).flatten().map(|_| "calls");
    }
    (alike.len() > keep).then(|| {
        blocks.remove(last);
        label
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str, text: &str) -> String {
        format!("  {label:<13} {text}\n")
    }

    const HEAD: &str = "fails after another test (victim)  test_h.py:1 h\n  passes alone\n";

    /// The lines of a finding besides its first two.
    fn rest(text: &str) -> Vec<&str> {
        text.lines().skip(2).collect()
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        let lines: String = (0..13).map(|number| line("also victim", &number.to_string())).collect();
        let text = format!("{HEAD}{lines}");
        assert_eq!(of(&text), text);
    }

    #[test]
    fn lists_are_shortened_before_what_one_needs_goes_and_what_went_is_named() {
        let victims: String = (0..30).map(|number| line("also victim", &number.to_string())).collect();
        let needed = line("polluter", "p") + &line("pytest", "pytest p h");
        let text = format!("{HEAD}{needed}{}{victims}{}", line("cleaner", "c"), line("looked at", "all"));
        let brief = of(&text);
        let lines = rest(&brief);
        assert_eq!(brief.lines().count(), LINES, "{brief}");
        assert_eq!(lines[..2], rest(&format!("{HEAD}{needed}"))[..]);
        assert_eq!(lines[2].trim_end(), "  cleaner       c");
        assert_eq!(lines[3].trim_end(), "  also victim   0");
        assert_eq!(
            lines.last().unwrap().trim_end(),
            "  left out      looked at, 21 also victim (-v has all)"
        );
    }

    #[test]
    fn a_patch_is_counted_apart_and_shown_up_to_so_many_lines() {
        let patch = |lines: usize| {
            (0..lines).map(|number| format!("    +                {number}\n")).collect::<String>()
        };
        let of_lines =
            |lines| format!("{HEAD}{}{}{}", line("fix", "tried"), patch(lines), line("pytest", "p"));
        assert_eq!(of(&of_lines(PATCH_LINES)), of_lines(PATCH_LINES));
        let long = of(&of_lines(PATCH_LINES + 3));
        let lines = rest(&long);
        assert_eq!(lines.len(), PATCH_LINES + 3);
        assert_eq!(lines[PATCH_LINES + 1], "    … and 3 more lines of it (-v has all)");
        assert_eq!(lines[PATCH_LINES + 2], line("pytest", "p").trim_end());
    }

    #[test]
    fn of_many_calls_of_a_race_the_first_are_shown() {
        let calls: String = (1..30).map(|number| format!("    {number}. gw0  open\n")).collect();
        let text = format!("{HEAD}{}{calls}{}", line("race on", "file a"), line("pytest", "none"));
        let brief = of(&text);
        assert_eq!(brief.lines().count(), LINES, "{brief}");
        assert!(brief.contains("    10. gw0  open\n  pytest"), "{brief}");
        assert!(brief.ends_with(&line("left out", "19 calls (-v has all)")), "{brief}");
    }

    #[test]
    fn whatever_there_is_of_a_finding_fits() {
        let of_victims = |label: &&str| !["state-setter", "concurrent", RACE].contains(label);
        let many = GOES.iter().map(|(label, _)| *label).filter(of_victims);
        let many: String = many.flat_map(|label| [line(label, "a"), line(label, "b")]).collect();
        let single =
            ["fails with", "fix", "failed", "token", "pytest"].map(|label| line(label, "a")).concat();
        let brief = of(&format!("{HEAD}{many}{single}"));
        assert!(brief.lines().count() <= LINES, "{brief}");
        assert!(brief.contains(&single), "{brief}");
    }
}
