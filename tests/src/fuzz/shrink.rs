//! Makes an input smaller as long as it breaks the same property.

use std::future::Future;
use std::time::{Duration, Instant};

/// So many tries; what is left then is small enough to be read.
const TRIES: usize = 600;
/// And for so long, where each takes its time.
const LONGEST: Duration = Duration::from_secs(20);

/// The smallest input found for which `still_breaks` holds, as it does for `input`.
///
/// Cuts pieces out, large ones first, then makes bytes plain.
pub async fn shrink<F, T>(input: Vec<u8>, mut still_breaks: F) -> Vec<u8>
where
    F: FnMut(Vec<u8>) -> T,
    T: Future<Output = bool>,
{
    let mut best = input;
    let mut tries = 0;
    let begun = Instant::now();
    let mut tired = move || {
        tries += 1;
        tries > TRIES || begun.elapsed() > LONGEST
    };
    let mut piece = best.len().div_ceil(2);
    'pieces: while piece > 0 {
        let mut at = 0;
        let mut cut_any = false;
        while at < best.len() {
            if tired() {
                break 'pieces;
            }
            let mut less = best.clone();
            less.drain(at..(at + piece).min(best.len()));
            if still_breaks(less.clone()).await {
                best = less;
                cut_any = true;
            } else {
                at += piece;
            }
        }
        if !cut_any || piece > best.len() {
            piece /= 2;
        }
    }
    for at in 0..best.len() {
        if best[at].is_ascii_graphic() || best[at] == b'\n' || best[at] == b' ' {
            continue;
        }
        if tired() {
            break;
        }
        let mut plainer = best.clone();
        plainer[at] = b'x';
        if still_breaks(plainer.clone()).await {
            best = plainer;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_needed_stays_and_nothing_else() {
        let input = format!("{}needle{}", "hay ".repeat(300), "\u{1}stack".repeat(100)).into_bytes();
        let has = |input: Vec<u8>| async move { input.windows(6).any(|piece| piece == b"needle") };
        assert_eq!(shrink(input, has).await, b"needle");
    }
}
