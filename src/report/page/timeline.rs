//! The calls of a race, in the order that breaks, each in the lane of its worker.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::plan::WorkerId;
use crate::race::trace::Trace;
use crate::report::words::cut;
use crate::suite::{Suite, TestIndex};

const STEP: usize = 210;
const BOX: usize = 198;
const LANE: usize = 84;
const FITS: usize = 24;

/// Draws the calls, and tells them below for who does not see them.
pub(super) fn timeline(number: usize, trace: &Trace, suite: &Suite) -> Markup {
    let lanes: BTreeMap<WorkerId, TestIndex> =
        trace.calls.iter().map(|made| (made.worker, made.test)).collect();
    let lane = |worker: WorkerId| lanes.keys().position(|&key| key == worker).unwrap_or(0);
    let width = (trace.calls.len() * STEP).max(2 * STEP);
    let label = format!("timeline-{number}");
    html! {
        svg.timeline viewBox={ "-1 0 " (width + 2) " " (lanes.len() * LANE) } width=(width) role="img" aria-labelledby=(label) {
            title id=(label) { "The calls of the workers, in their order" }
            @for (at, (worker, test)) in lanes.iter().enumerate() {
                text.head x="0" y=(at * LANE + 14) { (worker) " " (cut(&suite.test(*test).id.to_string(), width / 9)) }
                path.lane d={ "M0 " (at * LANE + 50) "H" (width) } {}
            }
            @for (at, made) in trace.calls.iter().enumerate() {
                @let y = lane(made.worker) * LANE + 24;
                g class=(if made.call.writes { "polluter" } else { "place" }) {
                    title { (made.call.words()) ", " (made.call.place()) }
                    rect x=(at * STEP) y=(y) width=(BOX) height="50" rx="5" {}
                    text x=(at * STEP + 10) y=(y + 20) { (at + 1) ". " (cut(&made.call.words(), FITS - 3)) }
                    text x=(at * STEP + 10) y=(y + 39) { (cut(&made.call.place(), FITS)) }
                }
            }
        }
        ol.calls {
            @for made in &trace.calls {
                li {
                    b { (made.worker) } " " (made.call.words()) " " code { (made.call.place()) } " "
                    code { (suite.test(made.test).id) }
                }
            }
        }
    }
}
