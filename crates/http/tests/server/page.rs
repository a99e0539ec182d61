//! The page and its files.

use crate::support::{ask, get, served};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use troupe_http::ServeOptions;

/// A folder of the test's own, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("troupe-page-{}-{number}", std::process::id()));
        std::fs::create_dir_all(path.join("page/assets")).unwrap();
        std::fs::write(path.join("secret.txt"), "secret").unwrap();
        Self(path)
    }

    fn page(&self) -> PathBuf {
        self.0.join("page")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const BROWSER: [(&str, &str); 1] = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];

#[tokio::test]
async fn a_browser_gets_the_page_at_every_address_that_others_get_as_json() {
    let folder = Folder::new();
    std::fs::write(folder.page().join("index.html"), "<!doctype html>").unwrap();
    std::fs::write(folder.page().join("assets/index-abc123.js"), "run()").unwrap();
    let served =
        served(ServeOptions { page: Some(folder.page()), view: true, ..ServeOptions::local() }).await;
    for path in ["/", "/logs", "/nodes", "/nodes/a", "/workers", "/workers/a/b", "/dead-letters", "/zone"] {
        let page = ask(served.address, "GET", path, &BROWSER, "").await;
        assert_eq!(
            (page.status, page.text(), page.header("content-type")),
            (200, "<!doctype html>", "text/html; charset=utf-8"),
            "{path}"
        );
        assert_eq!((page.header("cache-control"), page.header("vary")), ("no-cache", "accept"));
        let json = ask(served.address, "GET", path, &[("accept", "application/json")], "").await;
        assert!(json.header("content-type").ends_with("json"), "{path}");
        assert_eq!(json.header("vary"), "accept");
        // As a link of the page, which a browser opens as it opens any other.
        for query in ["format=json", "x=y&format=json"] {
            let link = ask(served.address, "GET", &format!("{path}?{query}"), &BROWSER, "").await;
            assert_eq!((link.status, link.text()), (json.status, json.text()), "{path}?{query}");
        }
    }
    let nowhere = ask(served.address, "GET", "/nowhere", &BROWSER, "").await;
    assert_eq!((nowhere.status, nowhere.text()), (404, "<!doctype html>"));
    let file = ask(served.address, "GET", "/assets/missing.js", &BROWSER, "").await;
    assert_eq!(file.problem(), (404, "NOT_FOUND".into()));
    let script = get(served.address, "/assets/index-abc123.js").await;
    assert_eq!((script.status, script.text()), (200, "run()"));
    assert!(
        script.header("content-type").contains("javascript")
            && script.header("cache-control").contains("immutable")
    );
    let index = get(served.address, "/index.html").await;
    assert_eq!((index.status, index.header("cache-control")), (200, "no-cache"));
    let since = [("if-modified-since", index.header("last-modified"))];
    assert_eq!(ask(served.address, "GET", "/index.html", &since, "").await.status, 304);
}

#[tokio::test]
async fn nothing_outside_of_the_folder_is_served() {
    let folder = Folder::new();
    let served = served(ServeOptions { page: Some(folder.page()), ..ServeOptions::local() }).await;
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/assets/../../secret.txt",
        "//secret.txt",
        "/assets",
        "/missing.js",
        "/nowhere",
    ] {
        let reply = get(served.address, path).await;
        assert_eq!(reply.problem(), (404, "NOT_FOUND".into()), "{path}");
        assert!(!reply.text().contains("\"secret\""));
    }
}

#[tokio::test]
async fn a_page_that_was_not_built_is_said_to_be_missing_and_everything_else_works() {
    let folder = Folder::new();
    let served = served(ServeOptions { page: Some(folder.page()), ..ServeOptions::local() }).await;
    let missing = ask(served.address, "GET", "/logs", &BROWSER, "").await;
    assert_eq!(missing.problem(), (500, "PAGE_MISSING".into()));
    assert!(missing.json()["detail"].as_str().unwrap().contains("install"));
    assert_eq!(get(served.address, "/livez").await.status, 200);
}
