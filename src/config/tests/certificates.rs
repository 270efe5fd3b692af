//! TLS: certificates from files and by ACME, and what is remarked on.

use super::*;

#[test]
fn certificates_are_looked_at_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("cert.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    std::fs::write(path("key.pem"), "-----BEGIN PRIVATE KEY-----\n").unwrap();
    let tls = |cert: &str, key: &str| {
        format!("{STRIPE}[server]\ntls = {{ mode = \"files\", cert = {:?}, key = {:?} }}", path(cert), path(key))
    };
    let config = read(&tls("cert.pem", "key.pem")).unwrap();
    assert!(matches!(config.server.tls, Tls::Files { .. }));
    assert_eq!(config.server.listen, "0.0.0.0:443".parse().unwrap());
    let problems = complaints(&tls("key.pem", "gone.pem"));
    assert!(problems.contains("key.pem holds no certificate in PEM"), "{problems}");
    assert!(problems.contains("gone.pem cannot be read"), "{problems}");
}

#[test]
fn certificates_by_acme_are_read_with_all_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem").display().to_string();
    std::fs::write(&root, "-----BEGIN CERTIFICATE-----\n").unwrap();
    let acme = |keys: &str| format!("{STRIPE}[server]\ntls = {{ mode = \"acme\", {keys} }}");
    let of = |keys: &str| match read(&acme(keys)).unwrap().server.tls {
        Tls::Acme(acme) => *acme,
        other => panic!("{other:?}"),
    };

    let least = of("domains = \"Hooks.Example.com\"");
    assert_eq!(least.domains, ["hooks.example.com"], "names have no case");
    assert_eq!(least.directory, "https://acme-v02.api.letsencrypt.org/directory");
    assert_eq!((least.contact, least.eab, least.http_listen, least.ca_root), (None, None, None, None));
    assert_eq!(least.retry, Duration::from_secs(60));
    assert_eq!(read(&acme("domains = \"a.example\"")).unwrap().server.listen, "0.0.0.0:443".parse().unwrap());
    assert!(of("domains = \"a.example\", staging = true").directory.contains("staging"));

    let all = of(&format!(
        "domains = [\"a.example\", \"b.example\"], contact = \"me@a.example\", directory = \"https://ca.a.example/dir\", \
         ca_root = {root:?}, http_listen = \"127.0.0.1:8081\", retry = \"5s\", allow_private_addresses = true, \
         eab = {{ key_id = \"kid\", hmac_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\" }}"
    ));
    assert_eq!(all.domains, ["a.example", "b.example"]);
    assert_eq!(all.directory, "https://ca.a.example/dir");
    assert_eq!(all.eab.unwrap().hmac_key.len(), 24);

    for (keys, complaint) in [
        ("staging = true", "server.tls.domains: is missing"),
        ("domains = [\"*.a.example\"]", "is a wildcard"),
        ("domains = \"192.0.2.1\"", "is an IP address"),
        ("domains = \"https://a.example\"", "is not the name of a host"),
        ("domains = \"a.example\", contact = \"mailto:me@a.example\"", "is not an e-mail address"),
        ("domains = \"a.example\", staging = true, directory = \"https://ca.a.example\"", "staging"),
        ("domains = \"a.example\", cert = \"a.pem\"", "server.tls.cert: is of no use"),
        ("domains = \"a.example\", ca_root = \"/nowhere/root.pem\"", "cannot be read"),
        ("domains = \"a.example\", eab = { key_id = \"kid\" }", "server.tls.eab.hmac_key: is missing"),
        ("domains = \"a.example\", eab = { key_id = \"kid\", hmac_key = \"!\" }", "is not in base64url"),
        ("domains = \"a.example\", domain = \"a.example\"", "did you mean \"domains\""),
    ] {
        let problems = complaints(&acme(keys));
        assert!(problems.contains(complaint), "{keys}: {problems}");
    }
    let off = complaints(&format!("{STRIPE}[server]\ntls = {{ domains = \"a.example\" }}"));
    assert!(off.contains("server.tls.domains: is of no use with mode = \"off\""), "{off}");
    assert!(complaints(&format!("{STRIPE}[server]\ntls = {{ mode = \"acmee\" }}")).contains("did you mean \"acme\""));
}

#[test]
fn an_address_that_the_certificate_is_not_for_is_remarked_on() {
    let of = |url: &str| {
        let text =
            format!("{STRIPE}[server]\npublic_url = {url:?}\ntls = {{ mode = \"acme\", domains = \"a.example\" }}");
        read(&text).unwrap().warnings
    };
    assert_eq!(of("https://A.example:8443/in"), []);
    assert!(of("https://b.example")[0].to_string().contains("server.public_url: is not among server.tls.domains"));
    assert!(of("http://a.example")[0].to_string().contains("https://"));
}

#[test]
fn a_public_listener_without_tls_is_remarked_on_unless_it_is_said() {
    let config = read(&format!("{STRIPE}[server]\nlisten = \"0.0.0.0:80\"")).unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].to_string().contains("server.listen: webhooks arrive here without TLS"));
    let config = read(&format!("{STRIPE}[server]\nlisten = \"0.0.0.0:80\"\ntls = {{ mode = \"off\" }}")).unwrap();
    assert_eq!(config.warnings, []);
}
