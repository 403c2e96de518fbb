//! Weights on the stack: a route rarely has more than eight destinations.

pub(super) struct Weights {
    few: [u32; 8],
    length: usize,
    many: Vec<u32>,
}

impl Weights {
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.few[..self.length.min(8)].iter().chain(&self.many).copied()
    }
}

impl FromIterator<u32> for Weights {
    fn from_iter<I: IntoIterator<Item = u32>>(weights: I) -> Weights {
        let mut all = Weights { few: [0; 8], length: 0, many: Vec::new() };
        for weight in weights {
            match all.few.get_mut(all.length) {
                Some(place) => *place = weight,
                None => all.many.push(weight),
            }
            all.length += 1;
        }
        all
    }
}
