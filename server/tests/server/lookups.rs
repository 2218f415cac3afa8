//! Lookups, and what is around them.

use crate::scene::{Answer, Server};
use serde_json::Value;

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[test]
fn mapped_and_read_answer_alike() {
    let server = Server::start(&["--keep-mapped", "/data/country.mmdb"]);
    for (ip, code, country, network) in [
        ("192.0.2.7", 200, Some("AA"), "192.0.2.0/24"),
        ("2001%3Adb8%3A%3A1", 200, Some("AA"), "2001:db8::/32"),
        ("2001:db8::1", 200, Some("AA"), "2001:db8::/32"),
        ("192.0.3.1", 404, None, "192.0.3.0/24"),
    ] {
        let [mapped, read] = ["iommap", "wasi"].map(|via| {
            let answer = server.get(&format!("/lookup?ip={ip}&via={via}"));
            assert_eq!(answer.code, code, "{answer:?}");
            let mut body = json(&answer);
            assert_eq!(body["country"], country.map_or(Value::Null, Value::from), "{body}");
            assert_eq!(body["network"], network, "{body}");
            assert_eq!(body["via"], via);
            assert!(body["micros"]["open"].as_f64().unwrap() > 0.0, "{body}");
            assert!(body["reads"]["lookup"].as_u64().unwrap() > 0, "{body}");
            for own in ["micros", "via"] {
                body.as_object_mut().unwrap().remove(own);
            }
            body
        });
        // With as many reads: only who does them differs.
        assert_eq!(mapped, read);
    }
}

#[test]
fn the_way_to_read_that_is_set_for_the_server_is_the_default() {
    let server = Server::start(&["--env", "LOOKUP_VIA=wasi"]);
    assert_eq!(json(&server.get("/lookup?ip=192.0.2.7"))["via"], "wasi");
    assert_eq!(server.metric("iommap_mappings_opened_total"), 0);
    assert_eq!(json(&server.get("/lookup?ip=192.0.2.7&via=iommap"))["via"], "iommap");
    assert_eq!(server.metric("iommap_mappings_opened_total"), 1);
}

#[test]
fn a_request_that_makes_no_sense_is_told_what_would() {
    let server = Server::start(&[]);
    for (target, code, advice) in [
        ("/lookup", 400, "ip=ADDRESS"),
        ("/lookup?ip=192.0.2.256", 400, "192.0.2.256"),
        ("/lookup?ip=192.0.2.7&via=magic", 400, "iommap"),
        ("/lookup?ip=192.0.2.7&repeat=0", 400, "repeat"),
        ("/lookup?ip=192.0.2.7&colour=red", 400, "colour"),
        ("/elsewhere", 404, "/lookup"),
    ] {
        let answer = server.get(target);
        assert_eq!(answer.code, code, "{target}: {answer:?}");
        assert!(json(&answer)["reason"].as_str().unwrap().contains(advice), "{answer:?}");
    }
    assert_eq!(server.send("POST", "/lookup?ip=192.0.2.7").code, 405);
    assert_eq!(server.send("POST", "/metrics").code, 405);
    let head = server.send("HEAD", "/lookup?ip=192.0.2.7");
    assert_eq!((head.code, head.body.as_str()), (200, ""));
}

#[test]
fn requests_are_counted() {
    let server = Server::start(&[]);
    for target in ["/lookup?ip=192.0.2.7", "/lookup?ip=192.0.2.7", "/lookup?ip=10.0.0.1", "/lookup"]
    {
        server.get(target);
    }
    let page = server.get("/metrics");
    assert!(page.head.contains("content-type: text/plain; version=0.0.4"), "{}", page.head);
    assert_eq!(server.metric("iommap_http_requests_total{code=\"200\"}"), 2);
    assert_eq!(server.metric("iommap_http_requests_total{code=\"404\"}"), 1);
    assert_eq!(server.metric("iommap_http_requests_total{code=\"400\"}"), 1);
    assert_eq!(server.metric("iommap_http_request_duration_seconds_count"), 4);
    assert_eq!(server.metric("iommap_mappings_opened_total"), 3);
    assert!(server.metric("iommap_read_bytes_total") > 3 * 64);
    for name in ["iommap_mappings", "iommap_mapped_bytes", "iommap_instances"] {
        assert_eq!(server.metric(name), 0, "{name}");
    }
}

#[test]
fn the_last_minutes_are_told_second_by_second() {
    let server = Server::start(&[]);
    for _ in 0..3 {
        server.get("/lookup?ip=192.0.2.7");
    }
    let told = |server: &Server, what: &str| -> u64 {
        let page = json(&server.get("/history"));
        let samples = page["samples"].as_array().expect("samples");
        samples.iter().map(|sample| sample[what].as_u64().expect("a number")).sum()
    };
    server.wait_until("a second is over", |server| told(server, "requests") == 3);
    assert_eq!((told(&server, "opened"), told(&server, "errors")), (3, 0));
}

#[test]
fn nothing_on_the_page_comes_from_elsewhere() {
    let server = Server::start(&[]);
    let page = server.get("/");
    assert_eq!(page.code, 200);
    assert!(page.head.contains("content-type: text/html"), "{}", page.head);
    assert!(page.body.contains("<form") && page.body.contains("/lookup?"));
    // The name of what is drawn, which nobody fetches.
    let body = page.body.replace("http://www.w3.org/2000/svg", "");
    for elsewhere in ["http://", "https://", "src=\"//", "@import"] {
        assert!(!body.contains(elsewhere), "{elsewhere}");
    }
    assert_eq!(server.get("/healthz").body, "ok\n");
}

#[test]
fn each_line_of_the_log_as_json_is_an_object() {
    let server = Server::start(&["--log-format", "json"]);
    server.get("/lookup?ip=192.0.2.7");
    server.wait_until("the request is logged", |server| server.log().contains("\"answered\""));
    let log = server.log();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let answered = lines.iter().find(|line| line["message"] == "answered").expect("the request");
    assert_eq!(answered["level"], "INFO");
    assert_eq!(answered["path"], "/lookup");
    assert_eq!(answered["code"], 200);
    assert_eq!(answered["span"]["id"], 1);
    // Whose address was looked up is told only to whoever wants to know more.
    assert!(!answered.to_string().contains("192.0.2.7"), "{answered}");
}
