//! Who may ask, and what browsers are told.

use crate::script::{Script, Zone};
use crate::support::{PATIENCE, ask, get, served};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use troupe_http::{ServeError, ServeOptions, serve};
use troupe_node::{Node, NodeOptions};

const TOKEN: &str = "0123456789abcdef0123";

#[tokio::test]
async fn a_foreign_host_or_origin_is_refused() {
    let served = served(ServeOptions { workers: true, ..ServeOptions::local() }).await;
    let host = served.address.to_string();
    let status = async |path: &str, headers: &[(&str, &str)]| {
        let method = if path.starts_with("/workers") { "POST" } else { "GET" };
        ask(served.address, method, path, headers, "").await.status
    };
    for path in ["/livez", "/metrics", "/workers/main/send", "/openapi.json", "/nothing"] {
        for foreign in ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", ""] {
            assert_eq!(status(path, &[("host", foreign)]).await, 421, "{path} {foreign}");
        }
        for foreign in ["http://evil.example", "null", "http://localhost", "https://evil.example", ""] {
            assert_eq!(status(path, &[("origin", foreign)]).await, 403, "{path} {foreign}");
        }
    }
    // What a browser asks for a page of another origin has no origin with it where it is a picture, a script or a frame.
    for site in ["cross-site", "same-site"] {
        assert_eq!(status("/workers/main/send", &[("sec-fetch-site", site)]).await, 403);
        for (mode, dest) in
            [("no-cors", "image"), ("no-cors", "script"), ("navigate", "iframe"), ("navigate", "embed")]
        {
            let headers = [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
            assert_eq!(status("/openapi.json", &headers).await, 403, "{site} {mode} {dest}");
        }
        let link = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(status("/openapi.json", &link).await, 200, "a link leads there");
        assert_eq!(status("/workers/main/send", &link).await, 403, "a form does not");
    }
    assert_eq!(status("/openapi.json", &[("sec-fetch-site", "none")]).await, 200);
    assert_eq!(status("/openapi.json", &[("host", "localhost:1")]).await, 200);
    assert_eq!(status("/openapi.json", &[("host", "[::1]")]).await, 200);
    assert_eq!(status("/openapi.json", &[("origin", &format!("http://{host}"))]).await, 200);
}

/// What the server says to these bytes until it closes; the caller's side stays open.
async fn told(address: std::net::SocketAddr, bytes: &[u8]) -> String {
    let (mut reading, mut writing) = TcpStream::connect(address).await.unwrap().into_split();
    let sending = async {
        // It may close before it has read all of it.
        let _ = writing.write_all(bytes).await;
        std::future::pending::<()>().await;
    };
    let mut told = Vec::new();
    tokio::select! {
        // A connection that is closed while bytes are on their way is reset, which reads as an error.
        read = tokio::time::timeout(PATIENCE, reading.read_to_end(&mut told)) => drop(read.unwrap()),
        () = sending => {}
    }
    String::from_utf8(told).unwrap()
}

#[tokio::test]
async fn a_request_under_two_names_is_refused() {
    let served = served(ServeOptions::local()).await;
    let (own, evil) = (format!("host: {}\r\n", served.address), "host: evil.example\r\n");
    let (page, other) = (format!("origin: http://{}\r\n", served.address), "origin: http://evil.example\r\n");
    for (what, target, headers, status) in [
        ("its own", "/openapi.json", own.clone() + &page, 200),
        (
            "its own, as a proxy is asked",
            &format!("http://{}/openapi.json", served.address),
            own.clone(),
            200,
        ),
        ("two hosts", "/openapi.json", own.clone() + evil, 400),
        ("two hosts, the other way", "/openapi.json", evil.to_owned() + &own, 400),
        ("another in the address", "http://evil.example/openapi.json", own.clone(), 421),
        ("no host", "/openapi.json", String::new(), 421),
        ("a host that only begins well", "/openapi.json", "host: [::1].evil.example\r\n".into(), 421),
        ("a port that is none", "/openapi.json", "host: localhost:evil.example\r\n".into(), 421),
        ("two origins", "/openapi.json", own.clone() + &page + other, 403),
        ("two origins, the other way", "/openapi.json", own.clone() + other + &page, 403),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
        let told = told(served.address, request.as_bytes()).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {told}");
    }
}

#[tokio::test]
async fn no_page_of_another_origin_is_told_that_it_may_ask() {
    let served = served(ServeOptions { workers: true, ..ServeOptions::local() }).await;
    let wants = ("access-control-request-method", "POST");
    let own = format!("http://{}", served.address);
    for (origin, status) in [("http://evil.example", 403), ("null", 403), (own.as_str(), 405)] {
        let preflight =
            ask(served.address, "OPTIONS", "/workers/main", &[("origin", origin), wants], "").await;
        assert_eq!(preflight.status, status, "{origin}");
        assert!(preflight.headers.keys().all(|name| !name.as_str().starts_with("access-control-allow")));
    }
}

#[tokio::test]
async fn rubbish_ends_its_own_connection_and_nothing_else() {
    let served = served(ServeOptions { workers: true, ..ServeOptions::local() }).await;
    let post = format!("POST /workers/main/send HTTP/1.1\r\nhost: {}\r\n", served.address);
    let with = |headers: &str, body: &str| format!("{post}{headers}\r\n\r\n{body}").into_bytes();
    let many = |what: &str| what.repeat(100_000);
    for (what, bytes) in [
        ("TLS", [&b"\x16\x03\x01\x02\x00\x01"[..], &[0; 300]].concat()),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"GET /livez\r\n\r\n".to_vec()),
        ("a line that goes on", with("x: a\r\n b", "")),
        ("many headers", with(&many("x: y\r\n"), "")),
        ("a long address", format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", many("y")).into_bytes()),
        ("two lengths", with("content-length: 5\r\ncontent-length: 6", "hello!")),
        ("a length below zero", with("content-length: -1", "")),
        ("a length beyond all numbers", with("content-length: 99999999999999999999", "x")),
        ("a coding that is none", with("transfer-encoding: identity", "x")),
        ("a chunk of no length", with("transfer-encoding: chunked", "zz\r\nx\r\n")),
        ("a chunk beyond all numbers", with("transfer-encoding: chunked", "ffffffffffffffffff\r\n")),
        ("words behind a chunk", with("transfer-encoding: chunked", &format!("1;{}", many("a")))),
        (
            "words behind a body",
            with("transfer-encoding: chunked", &format!("1\r\nx\r\n0\r\n{}", many("a: b\r\n"))),
        ),
    ] {
        let told = told(served.address, &bytes).await;
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 4"), "{what}: {told}");
        assert_eq!(get(served.address, "/livez").await.status, 200, "{what}");
    }
}

#[tokio::test]
async fn requests_that_do_not_wait_for_answers_are_answered_in_order() {
    let served = served(ServeOptions::local()).await;
    let get =
        |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{more}\r\n", served.address);
    let requests = get("/livez", "").repeat(500) + &get("/nothing", "connection: close\r\n");
    let told = told(served.address, requests.as_bytes()).await;
    let statuses: Vec<_> = told.match_indices("HTTP/1.1 ").map(|(at, _)| &told[at + 9..at + 12]).collect();
    assert_eq!(statuses.len(), 501);
    assert!(statuses[..500].iter().all(|status| *status == "200") && statuses[500] == "404");
}

#[tokio::test]
async fn what_a_page_of_another_site_loads_is_refused_and_a_link_from_there_is_followed() {
    let served = served(ServeOptions { workers: true, ..ServeOptions::local() }).await;
    let ask = async |method: &str, site: &str, mode: &str| {
        let headers = [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", "document")];
        let path = if method == "POST" { "/workers/main/send" } else { "/metrics" };
        ask(served.address, method, path, &headers, "").await
    };
    for site in ["cross-site", "same-site"] {
        for mode in ["no-cors", "cors", "same-origin", ""] {
            let image = ask("GET", site, mode).await;
            assert_eq!(image.problem(), (403, "NOT_PERMITTED".into()), "{site} {mode}");
        }
        assert_eq!(ask("HEAD", site, "no-cors").await.status, 403, "{site}");
        assert_eq!(ask("GET", site, "navigate").await.status, 200, "{site}");
        assert_eq!(ask("POST", site, "navigate").await.status, 403, "{site}");
    }
    for site in ["same-origin", "none"] {
        assert_eq!(ask("GET", site, "no-cors").await.status, 200, "{site}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for_where_there_is_one_but_not_of_probes() {
    let served = served(ServeOptions { token: Some(TOKEN.into()), ..ServeOptions::local() }).await;
    let bearer = format!("Bearer {TOKEN}");
    for headers in
        [&[][..], &[("authorization", "Bearer 0123456789abcdef0124")], &[("authorization", "Bearer ")]]
    {
        let refused = ask(served.address, "GET", "/openapi.json", headers, "").await;
        assert_eq!(refused.problem(), (401, "NOT_PERMITTED".into()));
        assert!(refused.header("www-authenticate").starts_with("Basic"));
        assert!(!refused.text().contains(TOKEN));
    }
    assert_eq!(
        ask(served.address, "GET", "/openapi.json", &[("authorization", &bearer)], "").await.status,
        200
    );
    // The password is the token.
    let basic = [("authorization", "Basic eDowMTIzNDU2Nzg5YWJjZGVmMDEyMw==")];
    assert_eq!(ask(served.address, "GET", "/openapi.json", &basic, "").await.status, 200);
    assert_eq!(get(served.address, "/livez").await.status, 200);
    assert_eq!(get(served.address, "/readyz").await.status, 200);
}

#[tokio::test]
async fn every_token_that_is_taken_can_be_shown() {
    let token = (' '..='~').skip(1).chain("with spaces".chars()).collect::<String>();
    let served = served(ServeOptions { token: Some(token.clone()), ..ServeOptions::local() }).await;
    let bearer = format!("Bearer {token}");
    let reply = ask(served.address, "GET", "/openapi.json", &[("authorization", &bearer)], "").await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn an_address_that_others_reach_needs_a_token_and_a_port_that_is_taken_is_named() {
    let node = Node::create(NodeOptions::alone("here")).await.unwrap();
    let serve = |options: ServeOptions| serve(node.shared().clone(), Arc::new(Zone(Script::new())), options);
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let open = ServeOptions { listen: listen.parse().unwrap(), ..ServeOptions::local() };
        let error = serve(open.clone()).unwrap_err();
        assert!(matches!(error, ServeError::Open { .. }), "{error}");
        let error = serve(ServeOptions { token: Some("short".into()), ..open }).unwrap_err();
        assert!(matches!(error, ServeError::ShortToken), "{error}");
    }
    // Whatever a caller sent, it would not be this.
    for (character, place) in
        [("\n", 9), ("\r\n", 9), ("\0", 9), ("\t", 9), ("\u{7f}", 9), ("é", 9), ("\u{2028}", 9)]
    {
        let token = Some(format!("01234567{character}01234567"));
        let error = serve(ServeOptions { token, ..ServeOptions::local() }).unwrap_err();
        assert!(matches!(error, ServeError::UnshowableToken { at } if at == place), "{character:?}: {error}");
        assert!(!error.to_string().contains("01234567"), "{error}");
    }
    for (token, place) in [(" 0123456789abcdef", 1), ("0123456789abcdef ", 17)] {
        let error = serve(ServeOptions { token: Some(token.into()), ..ServeOptions::local() }).unwrap_err();
        assert!(matches!(error, ServeError::UnshowableToken { at } if at == place), "{token:?}: {error}");
    }
    let first = serve(ServeOptions::local()).unwrap();
    let error = serve(ServeOptions { listen: first.address(), ..ServeOptions::local() }).unwrap_err();
    assert!(
        error.to_string().contains(&first.address().to_string()) && error.system_code().is_some(),
        "{error}"
    );
    // Where a token is asked for, the server may be known by any name.
    let open =
        ServeOptions { listen: ([0, 0, 0, 0], 0).into(), token: Some(TOKEN.into()), ..ServeOptions::local() };
    let server = serve(open).unwrap();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    assert_eq!(ask(address, "GET", "/livez", &[("host", "node.example")], "").await.status, 200);
    assert_eq!(ask(address, "GET", "/metrics", &[("host", "node.example")], "").await.status, 401);
}

#[tokio::test]
async fn every_answer_tells_browsers_what_they_may_do() {
    let served = served(ServeOptions::local()).await;
    let answers = [
        get(served.address, "/livez").await,
        get(served.address, "/nothing").await,
        ask(served.address, "GET", "/livez", &[("host", "evil.example")], "").await,
        ask(served.address, "POST", "/livez", &[], "").await,
    ];
    for answer in answers {
        assert!(answer.header("content-security-policy").starts_with("default-src 'self'"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn connections_are_bounded_and_one_that_ends_makes_room() {
    let served = served(ServeOptions::local()).await;
    let mut held = Vec::new();
    for _ in 0..256 {
        held.push(TcpStream::connect(served.address).await.unwrap());
    }
    let mut one_too_many = TcpStream::connect(served.address).await.unwrap();
    let mut told = String::new();
    one_too_many.read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 503") && told.ends_with('}'), "{told}");
    let (_, body) = told.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        body.len().to_string(),
        told.split_once("content-length: ").unwrap().1.split_once('\r').unwrap().0
    );
    drop(held.pop());
    let request = format!("GET /livez HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", served.address);
    loop {
        // It has to be seen to have ended.
        let mut next = TcpStream::connect(served.address).await.unwrap();
        let mut told = String::new();
        let asked = next.write_all(request.as_bytes()).await.is_ok();
        if asked && next.read_to_string(&mut told).await.is_ok() && told.starts_with("HTTP/1.1 200") {
            break;
        }
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let served = served(ServeOptions::local()).await;
    let long = "x".repeat(256 << 10);
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    // It may close before it has read all of it.
    let _ = stream
        .write_all(format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: {long}\r\n\r\n").as_bytes())
        .await;
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told).await;
    assert!(!told.starts_with(b"HTTP/1.1 200"));
    assert_eq!(get(served.address, "/livez").await.status, 200);
}
