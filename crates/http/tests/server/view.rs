//! The merged view: whose lines come from whom, in which order, and who is there.

use crate::support::{Stream, eventually, get, watching};
use serde_json::json;
use troupe_http::Role;

#[tokio::test]
async fn the_past_of_all_nodes_comes_by_time_and_what_is_logged_then_comes_live() {
    let served = watching().await;
    served.script.join("a", Role::Node);
    for i in 0..3 {
        served.script.log("a", "a", 10 * i, &format!("a{i}"));
        served.script.log("here", "here", 10 * i + 5, &format!("here{i}"));
    }
    let mut stream = Stream::open(served.address, "/events", &[]).await;
    assert_eq!(stream.messages_until("here2").await, ["a0", "here0", "a1", "here1", "a2", "here2"]);
    served.script.log("a", "a", 100, "live");
    assert_eq!(stream.messages_until("live").await, ["live"]);
}

#[tokio::test]
async fn more_lines_than_one_answer_holds_all_come_and_once() {
    let served = watching().await;
    let line = |i: usize| json!({ "node": "here", "time": i, "message": format!("{i}") });
    served.script.log_lines("here", (0..9_000).map(line));
    let mut stream = Stream::open(served.address, "/events?history=20000", &[]).await;
    let messages = stream.messages_until("8999").await;
    assert!(messages.iter().map(|message| message.parse::<usize>().unwrap()).eq(0..9_000));
}

#[tokio::test]
async fn lines_of_nodes_that_a_supervisor_speaks_for_come_from_it_only() {
    let served = watching().await;
    served.script.join("supervisor", Role::Supervisor);
    served.script.cover("supervisor", &["a"]);
    served.script.log("supervisor", "gone-before", 1, "of one that is gone");
    served.script.log("supervisor", "a", 2, "a1");
    served.script.join("a", Role::Node);
    served.script.log("a", "a", 2, "a1");
    served.script.log("here", "here", 3, "here1");
    let mut stream = Stream::open(served.address, "/events", &[]).await;
    assert_eq!(stream.messages_until("here1").await, ["of one that is gone", "a1", "here1"]);
    // It is gone: the node speaks for itself again, and what came is not told again.
    served.script.leave("supervisor");
    served.script.log("a", "a", 4, "a2");
    assert_eq!(stream.messages_until("a2").await, ["a2"]);
}

#[tokio::test]
async fn lines_of_a_node_that_a_supervisor_starts_later_come_once() {
    let served = watching().await;
    served.script.join("supervisor", Role::Supervisor);
    served.script.log("supervisor", "supervisor", 1, "it begins");
    let mut stream = Stream::open(served.address, "/events", &[]).await;
    stream.messages_until("it begins").await;
    // The supervisor speaks for it, and does not say so before its next line.
    served.script.cover("supervisor", &["a"]);
    served.script.join("a", Role::Node);
    served.script.log("a", "a", 2, "a1");
    eventually(served.address, "/nodes/a", |reply| reply.status == 200).await;
    served.script.log("here", "here", 3, "here1");
    assert_eq!(stream.messages_until("here1").await, ["here1"]);
    served.script.log("supervisor", "a", 2, "a1");
    served.script.log("supervisor", "a", 4, "a2");
    assert_eq!(stream.messages_until("a2").await, ["a1", "a2"]);
}

#[tokio::test]
async fn a_supervisor_that_is_silent_when_the_view_begins_doubles_no_line() {
    let served = watching().await;
    served.script.join("supervisor", Role::Supervisor);
    served.script.cover("supervisor", &["a"]);
    served.script.silence("supervisor");
    served.script.join("a", Role::Node);
    for i in 0..3 {
        served.script.log("a", "a", i, &format!("a{i}"));
    }
    // It has nobody to speak for it, and is asked itself.
    let mut stream = Stream::open(served.address, "/events", &[]).await;
    assert_eq!(stream.messages_until("a2").await, ["a0", "a1", "a2"]);
    // The supervisor has taken some of it by now, tells a line of its own in between, and takes the rest later.
    served.script.log("supervisor", "a", 0, "a0");
    served.script.log("supervisor", "a", 1, "printed");
    served.script.log("supervisor", "a", 1, "a1");
    served.script.speak("supervisor");
    assert_eq!(stream.messages_until("printed").await, ["printed"]);
    served.script.log("supervisor", "a", 2, "a2");
    served.script.log("a", "a", 4, "a3");
    served.script.log("supervisor", "a", 4, "a3");
    served.script.log("supervisor", "a", 5, "the end");
    assert_eq!(stream.messages_until("the end").await, ["a3", "the end"]);
}

#[tokio::test]
async fn the_supervisor_after_one_that_was_killed_tells_no_line_again_and_what_only_it_has() {
    let served = watching().await;
    let join = |lines: &[(u64, &str)]| {
        served.script.join("supervisor", Role::Supervisor);
        served.script.cover("supervisor", &["a"]);
        for (time, message) in lines {
            served.script.log("supervisor", "a", *time, message);
        }
    };
    join(&[(1, "one"), (2, "two"), (2, "two"), (3, "three")]);
    let mut stream = Stream::open(served.address, "/events", &[]).await;
    assert_eq!(stream.messages_until("three").await, ["one", "two", "two", "three"]);
    served.script.leave("supervisor");
    eventually(served.address, "/nodes", |reply| reply.text().contains("\"presence\":\"gone\"")).await;
    // It has read the files of the first one, which had written a line more.
    join(&[(1, "one"), (2, "two"), (2, "two"), (3, "three"), (4, "four"), (5, "a new beginning")]);
    assert_eq!(stream.messages_until("a new beginning").await, ["four", "a new beginning"]);
}

#[tokio::test]
async fn lines_that_a_member_lost_before_they_were_taken_are_counted_where_they_are_missing() {
    let served = watching().await;
    served.script.join("a", Role::Node);
    served.script.log("a", "a", 1, "before");
    let mut stream = Stream::open(served.address, "/events", &[]).await;
    stream.messages_until("before").await;
    served.script.lose("a", 7);
    served.script.log("a", "a", 2, "after");
    let lines = stream.messages_until("after").await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("7 lines of this node are missing here"), "{lines:?}");
}

#[tokio::test]
async fn a_member_speaks_for_no_other_node() {
    let served = watching().await;
    served.script.join("a", Role::Node);
    served.script.log("a", "here", 1, "a lie");
    served.script.log("a", "a", 2, "true");
    let mut stream = Stream::open(served.address, "/events", &[]).await;
    assert_eq!(stream.messages_until("true").await, ["true"]);
}

#[tokio::test]
async fn a_process_that_takes_over_a_name_is_read_from_its_beginning() {
    let served = watching().await;
    served.script.join("a", Role::Node);
    served.script.log("a", "a", 1, "of the first one");
    let mut stream = Stream::open(served.address, "/events", &[]).await;
    stream.messages_until("of the first one").await;
    served.script.leave("a");
    served.script.join("a", Role::Node);
    served.script.log("a", "a", 2, "of the second one");
    assert_eq!(stream.messages_until("of the second one").await, ["of the second one"]);
}

#[tokio::test]
async fn a_node_that_leaves_is_gone_and_one_that_is_silent_is_stalled() {
    let served = watching().await;
    served.script.join("a", Role::Node);
    served.script.join("observer-1", Role::Observer);
    let presence = |name: &'static str, presence: &'static str| {
        move |reply: &crate::support::Reply| {
            let nodes = reply.json();
            nodes.as_array().unwrap().iter().any(|node| node["node"] == name && node["presence"] == presence)
        }
    };
    let nodes = eventually(served.address, "/nodes", presence("a", "up")).await.json();
    assert!(nodes.as_array().unwrap().iter().all(|node| node["node"] != "observer-1"));
    served.script.silence("a");
    eventually(served.address, "/nodes", presence("a", "stalled")).await;
    served.script.leave("a");
    eventually(served.address, "/nodes", presence("a", "gone")).await;
    assert_eq!(get(served.address, "/nodes/a").await.json()["presence"], "gone");
    assert_eq!(get(served.address, "/nodes/b").await.problem(), (404, "NOT_FOUND".into()));
}

#[tokio::test]
async fn workers_dead_letters_and_the_zone_are_told() {
    let served = watching().await;
    let state = json!({
        "state": "up", "workersTotal": 2, "deadLetters": { "late reply": 3 },
        "workers": [{ "name": "greeter", "type": "Greeter", "queued": 4, "handled": 5, "failed": 1 }],
        "failures": [{ "worker": "greeter", "message": "no" }],
    });
    served.script.state("here", state);
    let has_worker = |reply: &crate::support::Reply| reply.json()["total"] == 2;
    let workers = eventually(served.address, "/workers", has_worker).await.json();
    assert_eq!(
        (&workers["workers"][0]["node"], &workers["workers"][0]["queued"]),
        (&json!("here"), &json!(4))
    );
    let worker = get(served.address, "/workers/here/greeter").await.json();
    assert_eq!(
        worker["samples"].as_array().unwrap().last().unwrap().as_array().unwrap()[1..],
        [json!(4), json!(5), json!(1)]
    );
    assert_eq!(worker["failures"][0]["message"], "no");
    assert_eq!(get(served.address, "/workers/here/nobody").await.problem(), (404, "NOT_FOUND".into()));
    assert_eq!(get(served.address, "/dead-letters").await.json()["total"], json!({ "late reply": 3 }));
    served.script.join("supervisor", Role::Supervisor);
    let zone = get(served.address, "/zone").await.json();
    assert_eq!((&zone["zone"], &zone["supervisor"]["containers"]), (&json!("scripted"), &json!([])));
    assert_eq!(zone["members"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn logs_are_searched_and_a_cursor_goes_on() {
    let served = watching().await;
    for (i, level) in ["debug", "info", "warn", "error"].iter().enumerate() {
        let line = json!({ "node": "here", "time": i, "level": level, "name": "node", "worker": "w", "message": format!("The {level} one") });
        served.script.log_line("here", line);
    }
    let all =
        eventually(served.address, "/logs", |reply| reply.json()["lines"].as_array().unwrap().len() == 4)
            .await;
    let next = all.json()["next"].as_str().unwrap().to_owned();
    let messages = async |path: String| {
        let lines = get(served.address, &path).await.json();
        let lines = lines["lines"].as_array().unwrap().clone();
        lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(messages("/logs?level=warn".into()).await, ["The warn one", "The error one"]);
    assert_eq!(messages("/logs?text=the%20INFO".into()).await, ["The info one"]);
    assert_eq!(messages("/logs?limit=1".into()).await, ["The error one"]);
    assert_eq!(messages("/logs?node=other".into()).await, [""; 0]);
    assert_eq!(messages("/logs?worker=w&limit=2".into()).await, ["The warn one", "The error one"]);
    let id = all.json()["lines"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(messages(format!("/logs?after={id}")).await, ["The warn one", "The error one"]);
    assert_eq!(messages(format!("/logs?after={next}")).await, [""; 0]);
    for (limit, more) in [(1, true), (2, false), (3, false)] {
        let answer = get(served.address, &format!("/logs?after={id}&limit={limit}")).await.json();
        assert_eq!(answer["more"], more, "{limit}");
    }
    for path in ["/logs?level=loud", "/logs?after=yesterday", "/logs?limit=many"] {
        assert_eq!(get(served.address, path).await.problem(), (400, "INVALID_ARGUMENT".into()), "{path}");
    }
}

#[tokio::test]
async fn an_answer_with_lines_is_bounded_in_bytes_and_says_where_the_others_are() {
    const LINES: usize = 2_000;
    const MOST: usize = (4 << 20) + (64 << 10);
    let served = watching().await;
    let padding = "x".repeat(8_000);
    let line = |i: usize| json!({ "node": "here", "time": i, "message": format!("{i} {padding}") });
    served.script.log_lines("here", (0..LINES).map(line));
    let numbers = |lines: &serde_json::Value| {
        let message = |line: &serde_json::Value| line["message"].as_str().unwrap().to_owned();
        let number = |line| message(line).split_once(' ').unwrap().0.parse::<usize>().unwrap();
        lines.as_array().unwrap().iter().map(number).collect::<Vec<_>>()
    };
    let is_there =
        |reply: &crate::support::Reply| numbers(&reply.json()["lines"]).last() == Some(&(LINES - 1));
    let last = eventually(served.address, "/logs?limit=10000", is_there).await;
    let read = numbers(&last.json()["lines"]);
    assert!(last.body.len() < MOST && last.json()["more"] == false, "{} bytes", last.body.len());
    // The newest ones, as many as fit.
    assert_eq!(read, (LINES - read.len()..LINES).collect::<Vec<_>>());
    assert!(read.len() > 500);

    // A cursor of before this server began leads to the oldest line.
    let (mut after, mut read) = ("00000000-0".to_owned(), Vec::new());
    loop {
        let answer = get(served.address, &format!("/logs?limit=10000&after={after}")).await;
        assert!(answer.body.len() < MOST, "{} bytes", answer.body.len());
        let answer = answer.json();
        read.extend(numbers(&answer["lines"]));
        after = answer["next"].as_str().unwrap().to_owned();
        if answer["more"] == false {
            break;
        }
    }
    assert_eq!(read, (0..LINES).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_line_with_html_and_line_breaks_in_it_stays_data() {
    let served = watching().await;
    let evil = "</script><script>alert(1)</script>\n\nevent: lines\ndata: [\"\u{2028}\"]\r\n\r\n";
    served
        .script
        .log_line("here", json!({ "node": "here", "time": 1, "message": evil, "fields": { "<b>": "\n\n" } }));
    let mut stream = Stream::open(served.address, "/events", &[]).await;
    let event = stream.until("lines").await;
    assert_eq!(event.data[0]["message"], evil);
    let logs = get(served.address, "/logs").await;
    assert_eq!(logs.json()["lines"][0]["message"], evil);
    assert_eq!(
        (logs.header("content-type"), logs.header("x-content-type-options")),
        ("application/json", "nosniff")
    );
}

#[tokio::test]
async fn a_server_that_does_not_watch_says_so() {
    let served = crate::support::served(troupe_http::ServeOptions::local()).await;
    for path in ["/", "/logs", "/nodes", "/workers", "/dead-letters", "/zone", "/events"] {
        assert_eq!(get(served.address, path).await.problem(), (404, "NOT_FOUND".into()), "{path}");
    }
}
