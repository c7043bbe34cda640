//! Randomness that never changes: a keyed hash and a stream cipher, both fixed by their published
//! specifications, read through integer arithmetic only.
//!
//! Generators and distributions of the `rand` crate may change between versions and differ with the
//! width of `usize`; a plan must not.

use std::hash::Hasher;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use siphasher::sip::SipHasher24;

use crate::plan::Seed;
use crate::suite::TestId;

/// What a stream is for. Streams of different purposes are independent of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Orders of a pair of trials.
    Order,
    /// Virtual durations of a pair of trials.
    Durations,
    /// Worker count, mode, hash seed and random seed of a pair of trials.
    Axes,
    /// The hash seeds of a session.
    HashSeeds,
    /// The labelling of a Tuscan square.
    Square,
    /// The random schedules of a pair of tests in conflict.
    Schedules,
    /// Plans near a recorded failure.
    Neighbourhood,
}

/// An endless stream of numbers, a pure function of seed, purpose and number.
///
/// ChaCha with 8 rounds (Bernstein 2008); the stream's number is the cipher's 64-bit nonce, so that
/// any stream can be made without making those before it.
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of a purpose with a number, which is a trial pair's or a square's.
    pub(crate) fn new(seed: Seed, purpose: Purpose, number: u64) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.0.to_le_bytes());
        key[8] = purpose as u8;
        let mut cipher = ChaCha8Rng::from_seed(key);
        cipher.set_stream(number);
        Self(cipher)
    }

    /// The next number, from all of 64 bits.
    pub(crate) fn draw(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// The next number below `bound`, which must not be 0: the high half of a product (Lemire 2019,
    /// without its rejection step; the bias is below `bound / 2^64`).
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }

    /// A key for [`Keyed`].
    pub(crate) fn key(&mut self) -> Keyed {
        Keyed { k0: self.draw(), k1: self.draw() }
    }
}

/// A keyed hash of names: SipHash-2-4 (Aumasson & Bernstein 2012).
///
/// Sorting tests by it shuffles them so that the relative order of two tests depends on the key and
/// those two alone: adding or removing a third moves neither. It is not linear in its input, unlike
/// a CRC, so tests whose names differ in one character are ordered independently.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed {
    k0: u64,
    k1: u64,
}

impl Keyed {
    /// The hash of a piece of text.
    pub(crate) fn text(self, text: &str) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.k0, self.k1);
        hasher.write(text.as_bytes());
        hasher.finish()
    }

    /// The hash of a test's name.
    pub(crate) fn test(self, id: &TestId) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.k0, self.k1);
        hasher.write(id.node_id.as_bytes());
        hasher.write(&id.occurrence.to_le_bytes());
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_the_same_for_ever() {
        let mut stream = Stream::new(Seed(42), Purpose::Order, 7);
        assert_eq!(
            [stream.draw(), stream.draw(), stream.below(10)],
            [3425180178688264041, 10705747601317740447, 9]
        );
        let key = Stream::new(Seed(42), Purpose::Order, 0).key();
        assert_eq!(key.text("tests/test_a.py::test_b"), 14_692_098_670_995_030_813);
    }

    #[test]
    fn streams_of_other_numbers_and_purposes_differ() {
        let first = |purpose, number| Stream::new(Seed(1), purpose, number).draw();
        assert_ne!(first(Purpose::Order, 0), first(Purpose::Order, 1));
        assert_ne!(first(Purpose::Order, 0), first(Purpose::Durations, 0));
    }
}
