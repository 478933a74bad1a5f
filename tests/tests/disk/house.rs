//! What every test here needs: the programs, an upstream, and a server on a disk that breaks.

use std::path::{Path, PathBuf};

use bedrock_sim::{RunningSim, Sim, SimConfig};
use smoother_tests::crash::driver::Programs;
use smoother_tests::disk::load::{Desk, Told};
use smoother_tests::disk::log::{Event, Record, records};
use smoother_tests::disk::model::Luck;
use smoother_tests::disk::power::{Stage, left_by, start_and_audit};
use smoother_tests::disk::server::{Place, Server, Started, library};
use tempfile::TempDir;

pub struct House {
    pub programs: Programs,
    pub library: PathBuf,
    pub upstream: RunningSim,
    pub place: Place,
    url: String,
    _folder: TempDir,
}

impl House {
    pub async fn open() -> Self {
        let programs = Programs::beside(Path::new(env!("CARGO_BIN_EXE_crash"))).unwrap();
        let library = library(&programs).unwrap();
        let upstream = Sim::start(SimConfig::default());
        let upstream = upstream.await.unwrap();
        let folder = TempDir::new().unwrap();
        Self {
            url: upstream.url(),
            place: Place::new(folder.path()).unwrap(),
            programs,
            library,
            upstream,
            _folder: folder,
        }
    }

    pub fn stage(&self) -> Stage<'_> {
        Stage {
            programs: &self.programs,
            library: &self.library,
            upstream: &self.url,
        }
    }

    /// Starts a server on the disk, or gets what it said when it refused.
    pub async fn try_start(&self, rules: &str) -> Result<Box<Server>, String> {
        self.place.rule(rules).unwrap();
        let library = Some(self.library.as_path());
        match Server::start(&self.programs, &self.place, &self.url, library)
            .await
            .unwrap()
        {
            Started::Serves(server) => Ok(server),
            Started::Refused(said) => Err(said),
        }
    }

    pub async fn start(&self, rules: &str) -> (Box<Server>, Desk) {
        let server = self.try_start(rules).await.unwrap();
        let desk = Desk::new(&server.url, &self.place);
        (server, desk)
    }

    /// Rules that have broken something so far, as the log tells.
    pub fn faults(&self) -> Vec<(usize, String)> {
        let log = std::fs::read(self.place.log()).unwrap();
        let fault = |record: Record| match record.event {
            Event::Fault(words) => Some((record.end, words)),
            _ => None,
        };
        records(&log).unwrap().into_iter().filter_map(fault).collect()
    }

    /// Everything that was told is there after a power cut now, whatever of the unsynced it keeps.
    pub async fn all_kept(&self, told: &[Told]) {
        assert!(!told.is_empty());
        for luck in [Luck::None, Luck::Mixed] {
            let image = left_by(&self.place, luck, 1).unwrap();
            let found = start_and_audit(&self.stage(), &image, told).await.unwrap();
            assert!(
                found.broken.is_empty() && found.reported.is_empty() && found.kept >= told.len(),
                "{luck:?}: {found:?}"
            );
        }
    }
}
