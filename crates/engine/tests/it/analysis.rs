//! What interviews say together.

use std::collections::{BTreeMap, BTreeSet};

use engine::analysis::{Case, Coded, Part, Share, grid, prevailing, themes};
use engine::enrich::Sentiment;
use engine::ids::{PhaseId, SessionId, TurnNo};

use crate::walk::world::study::Prng;

fn coded(session: &str, topics: &[&str], sentiment: Sentiment) -> Coded {
    Coded {
        session: SessionId::from(session),
        version: 1,
        phase: PhaseId::from("warmup"),
        turn: TurnNo(2),
        start_ms: 0,
        end_ms: 1,
        sentiment,
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        quote: None,
    }
}

use Sentiment::{Mixed, Negative, Neutral, Positive};

#[test]
fn somebody_who_is_for_and_against_is_mixed_and_neutral_words_change_nothing() {
    assert_eq!(prevailing([Neutral, Positive]), Positive);
    assert_eq!(prevailing([Negative, Neutral]), Negative);
    assert_eq!(prevailing([Positive, Negative]), Mixed);
    assert_eq!(prevailing([Mixed]), Mixed);
    assert_eq!(prevailing([Neutral]), Neutral);
    assert_eq!(prevailing([]), Neutral);
}

#[test]
fn a_theme_counts_people_and_not_mentions_and_of_all_who_were_coded() {
    let rows = [
        coded("a", &["cost", "cost"], Positive),
        coded("a", &["cost"], Positive),
        coded("b", &["cost", "focus"], Positive),
        coded("c", &[], Neutral),
        coded("d", &["cost"], Negative),
    ];
    let found = themes(&rows);
    let cost = &found[0];
    assert_eq!((cost.topic.as_str(), cost.segments), ("cost", 4));
    assert_eq!(
        cost.share,
        Share {
            participants: 3,
            of: 4
        }
    );
    assert_eq!((cost.feelings.positive, cost.feelings.negative), (2, 1));
    let case = Case {
        session: SessionId::from("d"),
        turn: TurnNo(2),
    };
    assert_eq!(cost.against, [case], "the negative case");
    assert_eq!(found[1].topic, "focus");
}

#[test]
fn without_a_majority_nobody_is_against() {
    let rows = [
        coded("a", &["cost"], Positive),
        coded("b", &["cost"], Negative),
    ];
    assert!(themes(&rows)[0].against.is_empty());
}

#[test]
fn sections_and_waves_are_compared_over_those_who_were_in_them() {
    let mut rows = vec![
        coded("a", &["cost"], Positive),
        coded("b", &[], Neutral),
        coded("c", &["cost"], Positive),
    ];
    rows[2].version = 2;
    rows[2].phase = PhaseId::from("probing");
    let theme = &themes(&rows)[0];
    let phases: Vec<(&str, u32, u32)> = theme
        .phases
        .iter()
        .map(|(phase, part)| (phase.as_str(), part.share.participants, part.share.of))
        .collect();
    assert_eq!(phases, [("probing", 1, 1), ("warmup", 1, 2)]);
    let waves: Vec<(u32, u32, u32)> = theme
        .waves
        .iter()
        .map(|(wave, part)| (*wave, part.share.participants, part.share.of))
        .collect();
    assert_eq!(waves, [(1, 1, 2), (2, 1, 1)]);
    // Who is for it in one section and against it in another is each there, and both over all.
    rows.push(coded("a", &["cost"], Negative));
    rows[3].phase = PhaseId::from("probing");
    let theme = &themes(&rows)[0];
    let feelings = |phase: &str| theme.phases[&PhaseId::from(phase)].feelings;
    assert_eq!(
        (feelings("warmup").positive, feelings("warmup").negative),
        (1, 0)
    );
    assert_eq!(
        (feelings("probing").positive, feelings("probing").negative),
        (1, 1)
    );
    assert_eq!((theme.feelings.positive, theme.feelings.mixed), (1, 1));
}

#[test]
fn a_cell_has_its_first_quotes_or_else_the_place_where_it_was_said() {
    let mut rows: Vec<Coded> = (0..5).map(|_| coded("a", &["cost"], Positive)).collect();
    for (at, row) in rows.iter_mut().enumerate() {
        row.start_ms = 100 - at as u64;
        row.quote = (at > 0).then(|| format!("quote {at}"));
    }
    rows.push(coded("b", &["cost"], Neutral));
    let grid = grid(&rows);
    let texts: Vec<&str> = grid[&SessionId::from("a")]["cost"]
        .quotes
        .iter()
        .map(|quote| quote.text.as_str())
        .collect();
    assert_eq!(
        texts,
        ["quote 4", "quote 3", "quote 2"],
        "in the order in which they were said"
    );
    let silent = &grid[&SessionId::from("b")]["cost"];
    assert_eq!(
        (silent.quotes.len(), silent.quotes[0].text.as_str()),
        (1, "")
    );
}

/// Against a reference that counts in the dumbest way.
#[test]
fn themes_and_grid_agree_with_a_naive_count_over_random_studies() {
    let mut chance = Prng(7);
    let mut below = |bound| chance.below(bound);
    for _ in 0..200 {
        let rows: Vec<Coded> = (0..below(60))
            .map(|_| {
                let session = format!("s{}", below(8));
                let topics: Vec<String> = (0..below(3)).map(|_| format!("t{}", below(4))).collect();
                let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
                let mut row = coded(
                    &session,
                    &topics,
                    Sentiment::ALL[usize::try_from(below(4)).unwrap()],
                );
                row.version = 1 + u32::try_from(below(2)).unwrap();
                row.phase =
                    PhaseId::from(["warmup", "probing"][usize::try_from(below(2)).unwrap()]);
                row.turn = TurnNo(u32::try_from(below(50)).unwrap());
                row.start_ms = u64::from(row.turn.0) * 1_000;
                row
            })
            .collect();
        let everybody: BTreeSet<_> = rows.iter().map(|row| &row.session).collect();
        let found = themes(&rows);
        let grid = grid(&rows);
        assert_eq!(grid.len(), everybody.len());
        let topics: BTreeSet<&String> = rows.iter().flat_map(|row| &row.topics).collect();
        assert_eq!(found.len(), topics.len());
        for theme in &found {
            let mut per_person: BTreeMap<&SessionId, (bool, bool, u32)> = BTreeMap::new();
            for row in rows.iter().filter(|row| row.topics.contains(&theme.topic)) {
                let felt = per_person.entry(&row.session).or_default();
                felt.0 |= matches!(row.sentiment, Positive | Mixed);
                felt.1 |= matches!(row.sentiment, Negative | Mixed);
                felt.2 += 1;
            }
            assert_eq!(theme.share.participants as usize, per_person.len());
            assert_eq!(theme.share.of as usize, everybody.len());
            let only_good = per_person.values().filter(|felt| felt.0 && !felt.1).count();
            let only_bad = per_person.values().filter(|felt| felt.1 && !felt.0).count();
            assert_eq!(
                (
                    theme.feelings.positive as usize,
                    theme.feelings.negative as usize
                ),
                (only_good, only_bad)
            );
            let (fewer, felt_so): (&[Sentiment], _) = match only_good.cmp(&only_bad) {
                std::cmp::Ordering::Greater => (&[Negative], (false, true)),
                std::cmp::Ordering::Less => (&[Positive], (true, false)),
                std::cmp::Ordering::Equal => (&[], (false, false)),
            };
            let mut against = BTreeSet::new();
            for (session, felt) in &per_person {
                let of_them = rows
                    .iter()
                    .filter(|row| row.session == **session && row.topics.contains(&theme.topic));
                let cell = &grid[*session][&theme.topic];
                assert_eq!(cell.segments, felt.2);
                assert_eq!(
                    cell.sentiment,
                    prevailing(of_them.clone().map(|row| row.sentiment))
                );
                if !fewer.is_empty() && (felt.0, felt.1) == felt_so {
                    let turns = of_them
                        .filter(|row| fewer.contains(&row.sentiment))
                        .map(|row| row.turn);
                    let (session, turn) = ((*session).clone(), turns.min().unwrap());
                    against.insert(Case { session, turn });
                }
            }
            let found: BTreeSet<_> = theme.against.iter().cloned().collect();
            assert_eq!(found, against);
            for (wave, part) in &theme.waves {
                agrees(&rows, &theme.topic, |row| row.version == *wave, part);
            }
            for (phase, part) in &theme.phases {
                agrees(&rows, &theme.topic, |row| row.phase == *phase, part);
            }
        }
        assert!(
            found
                .windows(2)
                .all(|pair| pair[0].share.participants >= pair[1].share.participants)
        );
    }
}

/// So many spoke of it there, of all who were there, and feel so about what they said there.
fn agrees(rows: &[Coded], topic: &str, there: impl Fn(&Coded) -> bool, part: &Part) {
    let all: BTreeSet<_> = rows
        .iter()
        .filter(|row| there(row))
        .map(|row| &row.session)
        .collect();
    let spoke: BTreeSet<_> = rows
        .iter()
        .filter(|row| there(row) && row.topics.iter().any(|own| own == topic))
        .map(|row| &row.session)
        .collect();
    assert_eq!(
        (part.share.participants as usize, part.share.of as usize),
        (spoke.len(), all.len())
    );
    let places: BTreeSet<_> = part.places.iter().map(|place| &place.session).collect();
    assert_eq!((&places, part.places.len()), (&spoke, spoke.len()));
    for place in &part.places {
        let said = rows.iter().filter(|row| {
            there(row) && row.session == place.session && row.topics.iter().any(|own| own == topic)
        });
        let first = said.min_by_key(|row| (row.start_ms, row.turn)).unwrap();
        assert_eq!(first.turn, place.turn);
    }
    let negative = spoke.iter().filter(|session| {
        let said = rows.iter().filter(|row| {
            there(row) && row.session == ***session && row.topics.iter().any(|own| own == topic)
        });
        let felt: BTreeSet<_> = said.map(|row| row.sentiment.name()).collect();
        felt.contains("negative") && !felt.contains("positive") && !felt.contains("mixed")
    });
    assert_eq!(part.feelings.negative as usize, negative.count());
}
