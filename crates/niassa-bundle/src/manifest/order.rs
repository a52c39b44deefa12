//! The order of steps: each after those it needs, and else as the manifest has them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Puts `needs.len()` things into an order in which each comes after those it needs.
///
/// Where there is none, returns a cycle: each needs the next, and the last is the first again.
pub(crate) fn order(needs: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut waiting: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut needed_by = vec![Vec::new(); needs.len()];
    for (index, needs) in needs.iter().enumerate() {
        for needed in needs {
            needed_by[*needed].push(index);
        }
    }
    let free = (0..needs.len()).filter(|index| waiting[*index] == 0);
    let mut free: BinaryHeap<Reverse<usize>> = free.map(Reverse).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(Reverse(index)) = free.pop() {
        order.push(index);
        for next in &needed_by[index] {
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                free.push(Reverse(*next));
            }
        }
    }
    match waiting.iter().position(|count| *count > 0) {
        None => Ok(order),
        Some(stuck) => Err(cycle_behind(stuck, needs, &waiting)),
    }
}

/// Walks from a thing that cannot come to its turn to the cycle that keeps it from it.
fn cycle_behind(stuck: usize, needs: &[Vec<usize>], waiting: &[usize]) -> Vec<usize> {
    let mut path = vec![stuck];
    let mut current = stuck;
    // Whatever waits needs something that waits, so the walk goes on until it meets itself.
    while let Some(next) = needs[current].iter().copied().find(|needed| waiting[*needed] > 0) {
        let seen = path.iter().position(|index| *index == next);
        path.push(next);
        if let Some(start) = seen {
            return path.split_off(start);
        }
        current = next;
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_order_of_the_manifest_stays_where_it_may() {
        assert_eq!(order(&[vec![], vec![], vec![]]), Ok(vec![0, 1, 2]));
        assert_eq!(order(&[vec![2], vec![], vec![]]), Ok(vec![1, 2, 0]));
        assert_eq!(order(&[]), Ok(vec![]));
    }

    #[test]
    fn a_cycle_is_shown_as_a_path() {
        assert_eq!(order(&[vec![0]]), Err(vec![0, 0]));
        assert_eq!(order(&[vec![3], vec![2], vec![1], vec![1]]), Err(vec![1, 2, 1]));
    }

    proptest! {
        #[test]
        fn everything_comes_after_what_it_needs_or_there_is_a_cycle(
            needs in (1usize..12).prop_flat_map(|count| {
                prop::collection::vec(prop::collection::vec(0..count, 0..4), count)
            })
        ) {
            match order(&needs) {
                Ok(order) => {
                    let place = |index| order.iter().position(|o| *o == index).expect("all are there");
                    for (index, needs) in needs.iter().enumerate() {
                        for needed in needs {
                            prop_assert!(place(*needed) < place(index));
                        }
                    }
                }
                Err(cycle) => {
                    prop_assert_eq!(cycle.first(), cycle.last());
                    prop_assert!(cycle.len() > 1);
                    for pair in cycle.windows(2) {
                        prop_assert!(needs[pair[0]].contains(&pair[1]));
                    }
                }
            }
        }
    }
}
