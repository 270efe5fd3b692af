//! Orders of arrival: all of them for a few events, a sample of them for more.

/// A small generator of numbers that are the same in every run (xorshift, Marsaglia 2003).
pub struct Numbers(u64);

impl Numbers {
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(0) % end
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// Every order of up to six things, else as many shuffled ones as wanted.
pub fn orders(length: usize, sampled: usize) -> Vec<Vec<usize>> {
    let identity: Vec<usize> = (0..length).collect();
    if length > 6 {
        let mut numbers = Numbers::new(length as u64);
        let mut all = vec![identity.clone(), identity.iter().rev().copied().collect()];
        all.extend((0..sampled).map(|_| {
            let mut order = identity.clone();
            numbers.shuffle(&mut order);
            order
        }));
        return all;
    }
    let mut all = vec![Vec::new()];
    for _ in 0..length {
        all = all
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                let left: Vec<usize> = identity.iter().copied().filter(|at| !order.contains(at)).collect();
                left.into_iter().map(move |at| {
                    let mut longer = order.clone();
                    longer.push(at);
                    longer
                })
            })
            .collect();
    }
    all
}

#[test]
fn every_order_of_a_few_is_tried() {
    assert_eq!(orders(4, 0).len(), 24);
    assert_eq!(orders(6, 0).len(), 720);
    assert_eq!(orders(9, 50).len(), 52);
}
