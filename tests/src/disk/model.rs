//! What a disk may hold after a power cut: everything that was synced, and of the rest any part.
//!
//! - A file's sectors of 512 bytes each hold any of the versions they had since the last sync of that file that began
//!   after them; its length is that of the last byte kept, or the one it had.
//! - Cutting a file shorter is one step in a journal: it is there or not, and nothing that came after it is there
//!   without it.
//! - A name in a directory is there or not until that *directory* was synced; syncing the file does not keep its name.
//!   A renamed file is under its old name, its new one, or both, never under neither.
//! - What was being synced when that failed may never come to the disk, however often it is synced again: the kernel
//!   may have dropped it ([Rebello et al., Can Applications Recover from fsync Failures?, ATC 2020]).
//!
//! [Rebello et al., Can Applications Recover from fsync Failures?, ATC 2020]: https://www.usenix.org/conference/atc20/presentation/rebello

mod cut;
mod node;

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, bail};

use super::image::Image;
use super::log::{Event, Record};
pub use cut::Luck;
use node::{Change, Dir, Entry, Node, NodeId};

/// The disk's state at a moment: what is durable, and what is on its way.
#[derive(Debug, Clone)]
pub struct Model {
    nodes: Vec<Node>,
    handles: HashMap<u32, NodeId>,
    /// Syncs under way: how much of their file had been changed when they began.
    syncs: HashMap<u64, u64>,
    renames: u64,
}

const ROOT: NodeId = 0;

impl Model {
    /// A disk that holds this, all of it durable.
    ///
    /// # Errors
    /// A file lies in no directory.
    pub fn of(image: &Image) -> anyhow::Result<Self> {
        let mut model = Self {
            nodes: vec![Node::Dir(Dir::default())],
            handles: HashMap::new(),
            syncs: HashMap::new(),
            renames: 0,
        };
        for path in &image.dirs {
            let node = model.add(Node::Dir(Dir::default()));
            model.enter(path, node, None)?;
        }
        for (path, content) in &image.files {
            let node = model.add(Node::file(content.clone()));
            model.enter(path, node, None)?;
        }
        for node in &mut model.nodes {
            if let Node::Dir(dir) = node {
                dir.settle();
            }
        }
        Ok(model)
    }

    /// One thing more has happened.
    ///
    /// # Errors
    /// It does not fit what happened before.
    pub fn apply(&mut self, record: &Record, log: &[u8]) -> anyhow::Result<()> {
        self.happen(&record.event, log)
            .with_context(|| format!("{:?}", record.event))
    }

    fn happen(&mut self, event: &Event, log: &[u8]) -> anyhow::Result<()> {
        match event {
            Event::Start => {
                self.handles.clear();
                self.syncs.clear();
            }
            Event::Open {
                handle,
                path,
                made,
                dir,
            } => self.open(*handle, path, *made, *dir)?,
            Event::Write {
                handle,
                offset,
                bytes,
            } => {
                let bytes = log[bytes.clone()].into();
                self.change(
                    *handle,
                    Change::Write {
                        offset: *offset,
                        bytes,
                    },
                )?;
            }
            Event::Zeros {
                handle,
                offset,
                length,
            } => {
                let (offset, length) = (*offset, *length);
                self.change(*handle, Change::Zeros { offset, length })?;
            }
            Event::Truncate { handle, length } => self.change(*handle, Change::Truncate(*length))?,
            Event::SyncBegins { handle, number } => {
                let known = self.handled(*handle)?.changes();
                self.syncs.insert(*number, known);
            }
            Event::SyncEnds {
                handle,
                number,
                failed,
            } => {
                let known = self.syncs.remove(number).context("a sync that never began")?;
                self.handled(*handle)?.synced(known, *failed);
            }
            Event::Rename { from, to } => {
                let node = self.find(from).context("nothing has this name")?;
                self.renames += 1;
                self.enter(to, node, Some(self.renames))?;
                self.leave(from, Some(self.renames))?;
            }
            Event::Link { from, to } => {
                let node = self.find(from).context("nothing has this name")?;
                self.enter(to, node, None)?;
            }
            Event::Mkdir { path } => {
                let node = self.add(Node::Dir(Dir::default()));
                self.enter(path, node, None)?;
            }
            Event::Unlink { path } | Event::Rmdir { path } => self.leave(path, None)?,
            Event::Fault(_) => {}
        }
        Ok(())
    }

    fn open(&mut self, handle: u32, path: &str, made: bool, dir: bool) -> anyhow::Result<()> {
        let node = match self.find(path) {
            Some(node) if !made => node,
            Some(_) => bail!("made, and was there"),
            None if made && !dir => {
                let node = self.add(Node::file(Vec::new()));
                self.enter(path, node, None)?;
                node
            }
            None => bail!("opened, and was not there"),
        };
        self.handles.insert(handle, node);
        Ok(())
    }

    fn change(&mut self, handle: u32, change: Change) -> anyhow::Result<()> {
        match self.handled(handle)? {
            Node::File(file) => file.change(change),
            Node::Dir(_) => bail!("a directory"),
        }
        Ok(())
    }

    fn handled(&mut self, handle: u32) -> anyhow::Result<&mut Node> {
        let node = *self.handles.get(&handle).context("a handle never opened")?;
        Ok(&mut self.nodes[node])
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The node of a path, as the running process sees it.
    fn find(&self, path: &str) -> Option<NodeId> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts
            .into_iter()
            .try_fold(ROOT, |node, name| match &self.nodes[node] {
                Node::Dir(dir) => dir.live().get(name).copied(),
                Node::File(_) => None,
            })
    }

    fn enter(&mut self, path: &str, node: NodeId, rename: Option<u64>) -> anyhow::Result<()> {
        self.entry(path, Some(node), rename)
    }

    fn leave(&mut self, path: &str, rename: Option<u64>) -> anyhow::Result<()> {
        self.entry(path, None, rename)
    }

    fn entry(&mut self, path: &str, node: Option<NodeId>, rename: Option<u64>) -> anyhow::Result<()> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.find(folder).context("its directory is not there")?;
        match &mut self.nodes[folder] {
            Node::Dir(dir) => dir.change(Entry {
                name: name.to_owned(),
                node,
                rename,
            }),
            Node::File(_) => bail!("its directory is a file"),
        }
        Ok(())
    }

    /// What a process that starts after a kill finds: the system has kept everything, synced or not.
    pub fn live(&self) -> Image {
        let held = self.nodes.iter().map(|node| match node {
            Node::Dir(dir) => Held::Dir(dir.live().clone()),
            Node::File(file) => Held::File(file.live()),
        });
        self.image(&held.collect::<Vec<_>>())
    }

    /// What can be reached from the root.
    fn image(&self, held: &[Held]) -> Image {
        let mut image = Image::default();
        let mut open = vec![(ROOT, String::new())];
        while let Some((node, path)) = open.pop() {
            match &held[node] {
                Held::File(content) => {
                    image.files.insert(path, content.clone());
                }
                Held::Dir(names) => {
                    let below = |name: &String| match path.as_str() {
                        "" => name.clone(),
                        path => format!("{path}/{name}"),
                    };
                    open.extend(names.iter().map(|(name, node)| (*node, below(name))));
                    if !path.is_empty() {
                        image.dirs.push(path);
                    }
                }
            }
        }
        image
    }
}

/// What a node is found to be.
enum Held {
    File(Vec<u8>),
    Dir(BTreeMap<String, NodeId>),
}

#[cfg(test)]
mod tests;
