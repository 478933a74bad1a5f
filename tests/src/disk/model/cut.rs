//! A power cut.

use std::collections::HashSet;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::node::Node;
use super::{Held, Model};
use crate::disk::image::Image;

/// How much of what was not synced is there afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Luck {
    /// Nothing.
    None,
    /// All of it.
    All,
    /// Of each file and directory another share.
    Mixed,
}

impl Luck {
    /// Any of them.
    pub fn any(random: &mut StdRng) -> Self {
        *[Self::None, Self::All, Self::Mixed, Self::Mixed]
            .choose(random)
            .unwrap_or(&Self::Mixed)
    }

    fn share(self, random: &mut StdRng) -> f64 {
        match self {
            Self::None => 0.0,
            Self::All => 1.0,
            Self::Mixed => *[0.0, 0.1, 0.5, 0.9, 0.98, 1.0].choose(random).unwrap_or(&0.5),
        }
    }
}

impl Model {
    /// What the disk holds after a power cut at this moment.
    pub fn power_cut(&self, random: &mut StdRng, luck: Luck) -> Image {
        let coins: Vec<Vec<bool>> = self
            .nodes
            .iter()
            .map(|node| match node {
                Node::Dir(dir) => {
                    let share = luck.share(random);
                    (0..dir.is_pending()).map(|_| random.random_bool(share)).collect()
                }
                Node::File(_) => Vec::new(),
            })
            .collect();
        // A rename that is lost in one directory is undone in another, until nothing more is.
        let mut lost = HashSet::new();
        loop {
            let before = lost.len();
            for (node, coins) in self.nodes.iter().zip(&coins) {
                if let Node::Dir(dir) = node {
                    dir.cut(coins, &mut lost);
                }
            }
            if lost.len() == before {
                break;
            }
        }
        let held = self.nodes.iter().zip(&coins).map(|(node, coins)| match node {
            Node::Dir(dir) => Held::Dir(dir.cut(coins, &mut lost)),
            Node::File(file) => {
                let share = luck.share(random);
                Held::File(file.cut(random, share))
            }
        });
        self.image(&held.collect::<Vec<_>>())
    }
}
