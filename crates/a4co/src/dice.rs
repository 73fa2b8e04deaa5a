//! Seeded chance: the same seed gives the same day, so that whatever went wrong can be played again.

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of their own for one thing among many, so that the order in which the many run does
    /// not change what each of them does.
    pub fn nth(seed: u64, index: u64) -> Self {
        let mut dice = Self(seed);
        let base = dice.roll();
        Self(base ^ index.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    /// 64 random bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// One of `choices`, which are not empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// One of `choices`, each as often as its weight says.
    pub fn weighted<'a, T>(&mut self, choices: &'a [(u64, T)]) -> &'a T {
        let total: u64 = choices.iter().map(|(weight, _)| weight).sum();
        let mut left = self.below(total);
        for (weight, choice) in choices {
            if left < *weight {
                return choice;
            }
            left -= weight;
        }
        unreachable!("a roll below the sum of the weights falls on one of them")
    }

    /// `count` different numbers below `bound`; all of them where there are no more.
    pub fn different(&mut self, count: usize, bound: usize) -> Vec<usize> {
        let mut chosen = Vec::with_capacity(count);
        while chosen.len() < count.min(bound) {
            let number = self.below(bound as u64) as usize;
            if !chosen.contains(&number) {
                chosen.push(number);
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_same_seed_gives_the_same_rolls_and_each_index_its_own() {
        let rolls = |mut dice: Dice| (0..8).map(|_| dice.below(1_000)).collect::<Vec<_>>();
        assert_eq!(rolls(Dice::nth(1, 7)), rolls(Dice::nth(1, 7)));
        assert_ne!(rolls(Dice::nth(1, 7)), rolls(Dice::nth(1, 8)));
        assert_ne!(rolls(Dice::nth(1, 7)), rolls(Dice::nth(2, 7)));
    }

    #[test]
    fn weights_are_kept_roughly() {
        let mut dice = Dice::new(3);
        let often = (0..10_000).filter(|_| *dice.weighted(&[(9, true), (1, false)])).count();
        assert!((8_800..9_200).contains(&often), "{often}");
    }

    #[test]
    fn different_numbers_are_different() {
        let mut chosen = Dice::new(5).different(10, 8);
        chosen.sort_unstable();
        assert_eq!(chosen, (0..8).collect::<Vec<_>>());
    }
}
