//! Who may ask: the right host, no foreign page, the token where there is one. And what browsers are told to do with answers.

use crate::app::App;
use crate::problem::Problem;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What a page may load: its own files, and the answers of this server. Nothing may frame it.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

/// Refuses what is not for this caller. A probe may come without the token: it learns whether the process is well.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let is_probe = matches!(request.uri().path(), "/livez" | "/readyz");
    let checked = check(&app, request.headers(), is_probe, request.method());
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    if response.status() == StatusCode::UNAUTHORIZED {
        // A browser asks its user for a password.
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"troupe\""));
    }
    tell_browser(response.headers_mut());
    response
}

fn check(app: &App, headers: &HeaderMap, is_probe: bool, method: &Method) -> Result<(), Problem> {
    let host = text(headers, header::HOST);
    // A name of this machine only: a page elsewhere that has its own name lead here can't ask under it.
    if app.options.listen.ip().is_loopback() && !host.is_some_and(|host| is_local(host_of(host))) {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "NOT_PERMITTED",
            "this server is for its own machine: ask for it as 127.0.0.1, [::1] or localhost",
        ));
    }
    if headers.contains_key(header::ORIGIN) {
        let origin = text(headers, header::ORIGIN);
        let is_own = host.is_some_and(|host| {
            let own = origin.and_then(|origin| origin.split_once("://"));
            own.is_some_and(|(scheme, at)| {
                matches!(scheme, "http" | "https") && at.eq_ignore_ascii_case(host)
            })
        });
        if !is_own {
            return Err(Problem::forbidden(
                "a page of another origin asked; this server answers its own page only",
            ));
        }
    } else if text(headers, "sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"))
        && !follows_link(headers, method)
    {
        return Err(Problem::forbidden(
            "a page of another site asked; this server answers its own page only",
        ));
    }
    match &app.options.token {
        Some(token) if !is_probe && !shows(headers, token) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "NOT_PERMITTED",
            "show the token: as a bearer token, or as the password of basic authentication",
        )),
        _ => Ok(()),
    }
}

/// Whether a browser goes to where a link of another site leads: its user sees the answer, and the other site does not. What that
/// site's own page loads, as an image say, comes without an origin as well.
fn follows_link(headers: &HeaderMap, method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD) && text(headers, "sec-fetch-mode") == Some("navigate")
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The host of `host:port`.
fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').map_or("", |(host, _)| host);
    }
    authority.split_once(':').map_or(authority, |(host, _)| host)
}

fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a request shows the token. What it shows is compared in a time that does not tell how much of it is right.
fn shows(headers: &HeaderMap, token: &str) -> bool {
    let Some((scheme, shown)) = text(headers, header::AUTHORIZATION).and_then(|value| value.split_once(' '))
    else {
        return false;
    };
    let is_it = |shown: &[u8]| bool::from(shown.ct_eq(token.as_bytes()));
    if scheme.eq_ignore_ascii_case("bearer") {
        return is_it(shown.trim().as_bytes());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return false;
    }
    let decoded = base64(shown.trim());
    let password = decoded
        .as_deref()
        .and_then(|text| text.iter().position(|byte| *byte == b':').map(|at| &text[at + 1..]));
    password.is_some_and(is_it)
}

/// What base 64 stands for; `None`: it is none.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').bytes();
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len()), 0_u32, 0);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

fn tell_browser(headers: &mut HeaderMap) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    // What a node tells is good for this moment.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"] {
            assert!(is_local(host), "{host}");
        }
        for host in
            ["", "example.org", "localhost.example.org", "10.0.0.1", "127.0.0.1.example.org", "0.0.0.0"]
        {
            assert!(!is_local(host), "{host}");
        }
        assert_eq!(host_of("127.0.0.1:80"), "127.0.0.1");
        assert_eq!(host_of("[::1]:80"), "::1");
        assert_eq!(host_of("localhost"), "localhost");
    }

    #[test]
    fn a_token_is_shown_as_bearer_or_as_a_password() {
        let token = "0123456789abcdef";
        let shown = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            shows(&headers, token)
        };
        assert!(shown("Bearer 0123456789abcdef"));
        // troupe:0123456789abcdef
        assert!(shown("Basic dHJvdXBlOjAxMjM0NTY3ODlhYmNkZWY="));
        for value in [
            "Bearer 0123456789abcdeg",
            "Bearer",
            "Bearer ",
            "bearer 0123456789abcdef0",
            "Basic !",
            "Basic OjA=",
            "Digest x",
        ] {
            assert!(!shown(value), "{value}");
        }
    }
}
