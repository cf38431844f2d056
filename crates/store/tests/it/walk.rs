//! Random lives of the work queue, with crashes in between, against a reference that only remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use engine::enrich::{Order, Waiting};
use engine::ids::{SessionId, TurnNo};
use fastrand::Rng;
use store::{Cut, Extent, Fate, Lane, Lease, NEVER_DUE, NewSegment, Settlement, Take};

use crate::bench::{Bench, LEASE, START_US};

/// Where the reference believes a segment's job to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ready { not_before_us: i64 },
    Leased { until_us: i64, fence: i64 },
    Done,
    Dead,
}

#[derive(Clone, Copy, Debug)]
struct Job {
    place: Place,
    rank: i64,
    due_us: i64,
    round: u32,
    job_id: i64,
}

type Key = (SessionId, u32);

const AT_ONCE: [u32; 3] = [4, 2, 1];

struct Walk {
    bench: Option<Bench>,
    chance: Rng,
    now_us: i64,
    jobs: BTreeMap<Key, Job>,
    held: Vec<Vec<Lease>>,
    sessions: u8,
    done: BTreeSet<Key>,
}

fn key(lease: &Lease) -> Key {
    (lease.session_id.clone(), lease.key.parse().unwrap())
}

impl Walk {
    fn bench(&self) -> &Bench {
        self.bench.as_ref().unwrap()
    }

    async fn end_a_session(&mut self) {
        if self.sessions == 40 {
            return;
        }
        self.sessions += 1;
        let id = self.bench().session(self.sessions).await;
        let count = 1 + u32::try_from(self.chance.u64(..9)).unwrap();
        let (rank, due_us) = match self.chance.u64(..3) {
            0 => (-i64::from(self.sessions), NEVER_DUE),
            within => (
                self.now_us,
                self.now_us + i64::try_from(within).unwrap() * 20_000_000,
            ),
        };
        let segment = |turn: u32| NewSegment {
            segment_no: turn * 1_000 + 1,
            turn: TurnNo(turn),
            text: "words".to_owned(),
            start_ms: 0,
            end_ms: 1,
            phase: "warmup".into(),
            language: "en".to_owned(),
        };
        let cut = Cut {
            segments: (1..=count).map(segment).collect(),
            extent: Extent::SoFar,
            kind: "code".to_owned(),
            rank,
            due_us,
        };
        self.bench().store.cut_transcript(&id, cut).await.unwrap();
        for row in self.bench().store.jobs(filter(&id)).await.unwrap() {
            let job = Job {
                place: Place::Ready {
                    not_before_us: self.now_us,
                },
                rank,
                due_us,
                round: 1,
                job_id: row.job_id,
            };
            self.jobs
                .insert((id.clone(), row.key.parse().unwrap()), job);
        }
    }

    fn expire(&mut self) {
        for job in self.jobs.values_mut() {
            if matches!(job.place, Place::Leased { until_us, .. } if until_us <= self.now_us) {
                job.place = Place::Ready { not_before_us: 0 };
            }
        }
    }

    /// What the store must give: the first in the order, and the first of those that may share its call.
    fn expected(&self, order: Order) -> BTreeSet<Key> {
        let ready = |job: &Job| matches!(job.place, Place::Ready { not_before_us } if not_before_us <= self.now_us);
        let waiting: Vec<Waiting> = self
            .jobs
            .values()
            .filter(|job| ready(job))
            .map(|job| Waiting {
                rank: job.rank,
                due_us: job.due_us,
                job_id: job.job_id,
            })
            .collect();
        let Some(first) = order.first(self.now_us, &waiting) else {
            return BTreeSet::new();
        };
        let (id, round) = self
            .jobs
            .iter()
            .find(|(_, job)| job.job_id == first.job_id)
            .map(|((id, _), job)| (id.clone(), job.round))
            .unwrap();
        let mut together: Vec<(&Key, &Job)> = self
            .jobs
            .iter()
            .filter(|((of, _), job)| *of == id && job.round == round && ready(job))
            .collect();
        together.sort_by_key(|(_, job)| (job.job_id != first.job_id, job.job_id));
        let size = AT_ONCE[(round as usize - 1).min(AT_ONCE.len() - 1)] as usize;
        together
            .into_iter()
            .take(size)
            .map(|(key, _)| key.clone())
            .collect()
    }

    async fn claim(&mut self) {
        self.expire();
        let order = Order::ALL[usize::try_from(self.chance.u64(..2)).unwrap()];
        let expected = self.expected(order);
        let take = Take {
            order,
            at_once: AT_ONCE.to_vec(),
            lease: LEASE,
        };
        let leases = self
            .bench()
            .store
            .claim(Lane::Enrichment, &take)
            .await
            .unwrap();
        let got: BTreeSet<Key> = leases.iter().map(key).collect();
        assert_eq!(got, expected, "{order:?}");
        let until_us = self.now_us + i64::try_from(LEASE.as_micros()).unwrap();
        for lease in &leases {
            let job = self.jobs.get_mut(&key(lease)).unwrap();
            let fence = lease.fence;
            job.place = Place::Leased { until_us, fence };
        }
        if !leases.is_empty() {
            self.held.push(leases);
        }
    }

    async fn settle(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let at = usize::try_from(self.chance.u64(..self.held.len() as u64)).unwrap();
        let leases = self.held.swap_remove(at);
        let mut fates = Vec::new();
        let mut holds = 0;
        for lease in &leases {
            let fate = match self.chance.u64(..5) {
                0 => Fate::Dead("no".to_owned()),
                1 | 2 => Fate::Again {
                    round: lease.round.saturating_add(1).min(3),
                    not_before_us: self.now_us + 1_000_000,
                    reason: "no".to_owned(),
                },
                _ => Fate::Done(None),
            };
            let job = self.jobs.get_mut(&key(lease)).unwrap();
            if matches!(job.place, Place::Leased { fence, .. } if fence == lease.fence) {
                holds += 1;
                job.place = match &fate {
                    Fate::Done(_) => {
                        assert!(self.done.insert(key(lease)), "done twice");
                        Place::Done
                    }
                    Fate::Dead(_) => Place::Dead,
                    Fate::Again {
                        round,
                        not_before_us,
                        ..
                    } => {
                        job.round = *round;
                        Place::Ready {
                            not_before_us: *not_before_us,
                        }
                    }
                };
            }
            fates.push((lease.job_id, fate));
        }
        let settlement = Settlement {
            fates,
            ..Settlement::default()
        };
        let kept = self.bench().store.settle(&leases, settlement).await;
        assert_eq!(kept.unwrap(), holds);
    }

    async fn crash(&mut self) {
        let bench = self.bench.take().unwrap().reopen().await;
        bench.store.release_own_leases(&node(&bench)).await.unwrap();
        self.bench = Some(bench);
        for job in self.jobs.values_mut() {
            if matches!(job.place, Place::Leased { .. }) {
                job.place = Place::Ready { not_before_us: 0 };
            }
        }
        // What the dead process held comes back now and then: its leases are worth nothing.
    }

    fn pass(&mut self) {
        let span_us = 1 + self.chance.u64(..12_000_000);
        self.bench().clock.advance(Duration::from_micros(span_us));
        self.now_us += i64::try_from(span_us).unwrap();
    }

    async fn step(&mut self) {
        match self.chance.u64(..20) {
            0..=2 => self.end_a_session().await,
            3..=9 => self.claim().await,
            10..=15 => self.settle().await,
            16 => self.crash().await,
            _ => self.pass(),
        }
    }

    async fn run_out(&mut self) {
        for _ in 0..2_000 {
            self.pass();
            self.claim().await;
            self.settle().await;
            self.settle().await;
            let open = |job: &Job| matches!(job.place, Place::Ready { .. } | Place::Leased { .. });
            if !self.jobs.values().any(open) {
                return;
            }
        }
        panic!("work that never ends: {:?}", self.jobs);
    }
}

fn node(bench: &Bench) -> String {
    bench.config().node
}

fn filter(id: &SessionId) -> store::JobFilter {
    store::JobFilter {
        session_id: Some(id.clone()),
        limit: 500,
        ..store::JobFilter::default()
    }
}

async fn live(seed: u64) {
    let mut walk = Walk {
        bench: Some(Bench::new().await),
        chance: Rng::with_seed(seed),
        now_us: START_US,
        jobs: BTreeMap::new(),
        held: Vec::new(),
        sessions: 0,
        done: BTreeSet::new(),
    };
    for _ in 0..150 {
        walk.step().await;
    }
    walk.run_out().await;
    let dead = walk.jobs.values().filter(|job| job.place == Place::Dead);
    assert_eq!(walk.done.len() + dead.count(), walk.jobs.len());
}

#[tokio::test]
async fn in_any_life_each_segment_is_settled_once_and_taken_in_the_order_that_was_promised() {
    for seed in 0..12 {
        live(seed).await;
    }
}
