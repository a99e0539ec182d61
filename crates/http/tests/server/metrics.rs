//! `/metrics`, read by the rules of the format; `/openapi.json`, read beside the routes.

use crate::support::{ask, get, served};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use troupe_http::ServeOptions;
use troupe_node::port::Reason;

/// A sample: its name, its labels, its value.
type Sample = (String, Vec<(String, String)>, f64);

/// Reads the text format strictly: each family once, its type before its samples, no sample twice, labels well formed.
fn parse(text: &str) -> (HashMap<String, String>, Vec<Sample>) {
    assert!(text.ends_with('\n'));
    let (mut types, mut samples, mut seen) = (HashMap::new(), Vec::<Sample>::new(), HashSet::new());
    let mut family = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            help.split_once(' ').unwrap().0.clone_into(&mut family);
            assert!(!types.contains_key(&family), "{family} comes twice");
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert!(matches!(kind, "counter" | "gauge" | "histogram"));
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            types.insert(name.to_owned(), kind.to_owned());
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(seen.insert(series.to_owned()), "{series} comes twice");
        let (name, labels) = series
            .split_once('{')
            .map_or((series, ""), |(name, rest)| (name, rest.strip_suffix('}').unwrap()));
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        assert!(is_name(name) && name.starts_with(&family), "{name} in family {family}");
        samples.push((name.to_owned(), labels_of(labels), value.parse().unwrap()));
    }
    (types, samples)
}

fn labels_of(mut text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").unwrap();
        let (mut value, mut characters) = (String::new(), rest.char_indices());
        let end = loop {
            match characters.next().unwrap() {
                (_, '\\') => value.push(match characters.next().unwrap().1 {
                    'n' => '\n',
                    escaped @ ('\\' | '"') => escaped,
                    other => panic!("\\{other} is no escape"),
                }),
                (at, '"') => break at,
                (_, other) => value.push(other),
            }
        };
        labels.push((name.to_owned(), value));
        text = rest[end + 1..].strip_prefix(',').unwrap_or(&rest[end + 1..]);
    }
    labels
}

#[tokio::test]
async fn metrics_keep_to_the_format_whatever_names_are_in_them() {
    let served = served(ServeOptions::local()).await;
    let histogram =
        json!({ "count": 6, "sumMs": 12.5, "buckets": [[0.0625, 1], [1, 2], [65536, 0], [null, 3]] });
    let class = json!({ "type": "A\\B\"C\n", "workers": 2, "queued": 3, "handled": 4, "failed": 1, "restarts": 0,
        "oldestMs": 1500, "inMailbox": histogram, "inHandler": histogram });
    let peer = json!({ "node": "a", "state": "connected", "bytesIn": 1, "bytesOut": 2, "messagesIn": 3, "messagesOut": 4,
        "roundTripMs": 0.5, "handshakes": 1 });
    served.script.state("here", json!({ "node": "here", "zone": "z", "version": "1", "state": "stalled", "cpuMs": 2500,
        "rss": 4096, "workersTotal": 2, "isolates": [{ "name": "main", "sinceTurnMs": 20, "delay": histogram }],
        "classes": [class, { "type": "Other" }], "deadLetters": { "no such worker": 7 },
        "peers": [peer, { "node": "b", "state": "away" }] }));
    let reply = get(served.address, "/metrics").await;
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let (types, samples) = parse(reply.text());
    let value = |name: &str, label: &str| {
        let found = samples
            .iter()
            .find(|(at, labels, _)| at == name && labels.iter().any(|(_, value)| value == label));
        found.map(|(_, _, value)| *value)
    };
    assert_eq!(value("troupe_messages_handled_total", "A\\B\"C\n"), Some(4.0));
    assert_eq!(value("troupe_message_oldest_seconds", "A\\B\"C\n"), Some(1.5));
    assert_eq!(value("troupe_dead_letters_total", "no such worker"), Some(7.0));
    assert_eq!(value("troupe_node_state", "stalled"), Some(1.0));
    assert_eq!(
        (value("troupe_peer_connected", "a"), value("troupe_peer_connected", "b")),
        (Some(1.0), Some(0.0))
    );
    assert_eq!(value("troupe_peer_round_trip_seconds", "b"), None);
    assert!(reply.text().contains("\ntroupe_process_cpu_seconds_total 2.5\n"));
    for (name, kind) in &types {
        if kind != "histogram" {
            continue;
        }
        let of = |suffix: &str| {
            let name = format!("{name}{suffix}");
            samples
                .iter()
                .filter(move |(at, ..)| *at == name)
                .map(|(_, labels, value)| (labels.clone(), *value))
                .collect::<Vec<_>>()
        };
        let without_bound = |labels: &[(String, String)]| {
            labels.iter().filter(|(name, _)| name != "le").cloned().collect::<Vec<_>>()
        };
        for (labels, count) in of("_count") {
            let buckets: Vec<_> =
                of("_bucket").into_iter().filter(|(of, _)| without_bound(of) == labels).collect();
            assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{name}");
            let (last, most) = buckets.last().unwrap();
            assert_eq!((last.last().unwrap().1.as_str(), *most), ("+Inf", count), "{name}");
        }
    }
    assert_eq!(value("troupe_message_in_mailbox_seconds_sum", "A\\B\"C\n"), Some(0.0125));
}

#[tokio::test]
async fn every_reason_of_a_dead_letter_is_there_before_it_has_happened() {
    let served = served(ServeOptions::local()).await;
    served.script.state("here", json!({ "node": "here", "deadLetters": { "no such worker": 7 } }));
    let (_, samples) = parse(get(served.address, "/metrics").await.text());
    let told: HashMap<_, _> = samples
        .into_iter()
        .filter(|(name, ..)| name == "troupe_dead_letters_total")
        .map(|(_, labels, value)| (labels[0].1.clone(), value))
        .collect();
    assert_eq!(told.len(), Reason::ALL.len());
    for reason in Reason::ALL {
        let count = if reason == Reason::NoSuchWorker { 7.0 } else { 0.0 };
        assert_eq!(told.get(reason.words()), Some(&count), "{reason:?}");
    }
}

#[tokio::test]
async fn a_node_that_has_begun_anew_is_one_peer_by_the_link_that_has_a_channel() {
    let served = served(ServeOptions::local()).await;
    let link = |state: &str, handshakes: u8| json!({ "node": "b", "state": state, "handshakes": handshakes });
    for peers in [[link("away", 7), link("connected", 2)], [link("connected", 2), link("away", 7)]] {
        served.script.state("here", json!({ "node": "here", "peers": peers }));
        let (_, samples) = parse(get(served.address, "/metrics").await.text());
        let value = |wanted: &str| samples.iter().find(|(name, ..)| name == wanted).map(|(.., value)| *value);
        assert_eq!(value("troupe_peer_connected"), Some(1.0));
        assert_eq!(value("troupe_peer_handshakes_total"), Some(2.0));
    }
}

#[tokio::test]
async fn every_address_of_the_description_is_there_and_says_what_is_wrong_as_a_problem() {
    let served = served(ServeOptions { workers: true, view: true, ..ServeOptions::local() }).await;
    let description = get(served.address, "/openapi.json").await.json();
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    let paths = description["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 17);
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            let at = path.replace("{node}", "here").replace("{name}", "nobody");
            if at == "/events" {
                continue;
            }
            let reply = ask(served.address, &method.to_uppercase(), &at, &[], "").await;
            let told = operation["responses"].as_object().unwrap();
            let answer = told.get(&reply.status.to_string());
            assert!(answer.is_some(), "{method} {at} answers {}, which is not described", reply.status);
            if reply.status >= 400 && !matches!(at.as_str(), "/livez" | "/readyz") {
                reply.problem();
            } else if let Some(content) = answer.and_then(|answer| answer["content"].as_object()) {
                let kind = content.keys().next().unwrap();
                assert!(
                    reply.header("content-type").starts_with(kind),
                    "{method} {at}: {}",
                    reply.header("content-type")
                );
            }
        }
    }
    let references: Vec<_> = references_in(&description).collect();
    assert!(!references.is_empty());
    for reference in references {
        assert!(description.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
}

fn references_in(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::Object(object) => Box::new(object.iter().flat_map(|(key, value)| {
            let own = (key == "$ref").then(|| value.as_str().unwrap());
            own.into_iter().chain(references_in(value))
        })),
        Value::Array(array) => Box::new(array.iter().flat_map(references_in)),
        _ => Box::new(std::iter::empty()),
    }
}
