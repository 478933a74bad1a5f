//! What a lane's report says of single tenants: how much of them waits, and when their next would go at best.

use super::bounds::Load;
use super::entry::Entry;
use super::lane::Scheduler;
use super::view::{AtBest, TenantLine, TenantReport};
use crate::ids::TenantId;
use crate::request::Priority;
use crate::units::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Tenants of whom it is told, those nearest to a bound first.
const TENANTS: usize = 32;
/// From which part of its bound on a tenant is near to it, in thousandths.
const NEAR: u64 = 500;
/// Lines of whom it is told when their next goes, the longest.
const LINES: usize = 8;
/// Places of such a line.
const PLACES: usize = 6;

impl Scheduler {
    /// What a report says of tenants.
    pub(super) fn report_tenants(&self, now: Timestamp) -> Vec<TenantReport> {
        let names: BTreeSet<&TenantId> = self
            .shares
            .bands
            .iter()
            .flat_map(|band| band.by_tenant.keys())
            .collect();
        let mut told: Vec<_> = names
            .into_iter()
            .filter_map(|id| {
                let loads = self.shares.all_of(id);
                let all = loads.into_iter().fold(Load::default(), Load::and);
                let near = Some(self.config.nearness(id, all)).filter(|near| *near >= NEAR);
                (all.requests > 0).then_some((Reverse((near, all.requests)), id, loads))
            })
            .collect();
        told.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        told.truncate(TENANTS);
        let longest = self.longest_lines(told.iter().map(|(_, id, _)| *id));
        let tenant = |(_, id, loads): &(_, &TenantId, [Load; 3])| TenantReport {
            id: (*id).clone(),
            loads: *loads,
            first: self.first_of(now, id),
            lines: self.lines_of(now, id, &longest),
        };
        told.iter().map(tenant).collect()
    }

    fn longest_lines<'a>(&self, tenants: impl Iterator<Item = &'a TenantId>) -> BTreeSet<u32> {
        let flows = tenants.flat_map(|id| self.shares.flows_of(id).collect::<Vec<_>>());
        let length = |flow: u32| self.shares.flow(flow).map_or(0, |it| it.line.len());
        let mut lines: Vec<(usize, u32)> = flows
            .map(|flow| (length(flow), flow))
            .filter(|(length, _)| *length > 0)
            .collect();
        lines.sort_unstable_by_key(|(length, flow)| (Reverse(*length), *flow));
        lines.into_iter().take(LINES).map(|(_, flow)| flow).collect()
    }

    fn first_of(&self, now: Timestamp, id: &TenantId) -> Option<Timestamp> {
        let first = |flow: u32| {
            let slot = self.shares.flow(flow)?.line.first()?;
            Some(self.forecast(now, self.table.get(slot)?.id)?.start)
        };
        self.shares.flows_of(id).filter_map(first).min()
    }

    fn lines_of(&self, now: Timestamp, id: &TenantId, told: &BTreeSet<u32>) -> BTreeMap<String, TenantLine> {
        let of = |band: Priority| {
            let flow = self.shares.flow_of(band, id).filter(|flow| told.contains(flow))?;
            Some((band.as_str().to_owned(), self.tenant_line(now, flow)?))
        };
        Priority::ALL.into_iter().filter_map(of).collect()
    }

    fn tenant_line(&self, now: Timestamp, flow: u32) -> Option<TenantLine> {
        let it = self.shares.flow(flow)?;
        let last = it.line.len().checked_sub(1)?;
        let mut places: Vec<usize> = (0..PLACES).map(|part| last * part / (PLACES - 1)).collect();
        places.dedup();
        let entries = places
            .iter()
            .filter_map(|place| self.table.get(it.line.nth(*place)?));
        let mark = |entry: &Entry| AtBest {
            due: entry.due,
            earliest: self.best_behind(now, flow, entry),
        };
        let mut marks: Vec<AtBest> = entries.filter(|entry| !entry.returned).map(mark).collect();
        if it.beyond.load.requests > 0 && it.beyond.last > Timestamp::EPOCH {
            marks.push(AtBest {
                due: it.beyond.last,
                earliest: self.best_beyond(now, flow),
            });
        }
        Some(TenantLine {
            alone: self.table.known() == it.members as usize,
            marks,
        })
    }
}
