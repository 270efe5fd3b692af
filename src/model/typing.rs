//! How far two texts are apart that people typed.

/// How many letters must be put in, left out, replaced or swapped with their neighbour, without regard to case
/// (optimal string alignment). Costs the product of their lengths.
pub fn letters_apart(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_pair_is_one_slip() {
        assert_eq!(letters_apart("jane@gmial.example", "Jane@gmail.example"), 1);
        assert_eq!(letters_apart("", "abc"), 3);
        assert_eq!(letters_apart("john", "jane"), 3);
    }
}
