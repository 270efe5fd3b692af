//! PayPal's webhooks, written for these tests in the shape that its documentation gives, signed with a key of our own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use super::highlevel::at;

/// The webhook's id.
pub const WEBHOOK: &str = "8PT597110X687430LKGECATA";
/// Where PayPal says that its certificate is.
pub const ADDRESS: &str = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270";

/// Made for the tests with `openssl req -x509 -newkey rsa:2048`, subject `CN = messageverificationcerts.paypal.com`.
pub const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIDeTCCAmGgAwIBAgIUFBUimBc8Zh/HCwiUnuhtO7/F4hMwDQYJKoZIhvcNAQEL
BQAwSzELMAkGA1UEBhMCVVMxDjAMBgNVBAoMBVRlc3RzMSwwKgYDVQQDDCNtZXNz
YWdldmVyaWZpY2F0aW9uY2VydHMucGF5cGFsLmNvbTAgFw0yNjExMjIxMTIzMzda
GA8yMTI2MTAyOTExMjMzN1owSzELMAkGA1UEBhMCVVMxDjAMBgNVBAoMBVRlc3Rz
MSwwKgYDVQQDDCNtZXNzYWdldmVyaWZpY2F0aW9uY2VydHMucGF5cGFsLmNvbTCC
ASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBAKiYf7XDr0k6LBeTDhXRJqSL
MLuAnGI9ipjpVZdw2vqWgA9tL0DlGDY3h/SOC+bievUp6wEzLB9oQM5iQpu+AZOa
Eunw0+Xp7saaCe+5PMsE4PUECGGa2GptjZ6a/y1pJpDk9qmmJ/LIH7tBLt5FWhdU
IeHoPfD5odHQJYLdoFqziSlWC3N9cH/QPI2DNJyq5L4hXhs2aT7RQ3ahuGJk3VsI
NYtbjb2bdFNQW4z4T+Si+KykARDm+hcxIE7nCsW2e7XbxaUJ6eN8P3rCIeoJyFEd
ZUTmZote/lDiFFA7jws2HWzfyXXWWXfnOnPoYXxFaTpzHA8vde788xSQdXOUo6kC
AwEAAaNTMFEwHQYDVR0OBBYEFItvm1v15l12xsnJ58zzA5wJ5B02MB8GA1UdIwQY
MBaAFItvm1v15l12xsnJ58zzA5wJ5B02MA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZI
hvcNAQELBQADggEBAE2GEiO4m0O1NUTFpZ7XLvZ1o1kReXYO59CgqptVoeH8iUzS
53aEVZdfJr3zIIPmQnbTQKW7ibmJvkC7iUflOQBHpQTh7GQt1Dlz8+DobsZtwhUw
iblBsEiEu7DY9QaSb95lwiyIz8fJA4cyuDUDdi7WzaGP5yfw83qY9ieBTph0RoyO
h7nSkPtbXKM+2UxfU+FBRp9Nl1r8j3Wp0ZjJAR3Wa9xDvbd4cp5cXlHxXJjT87CZ
kgp8enhyOm25gOfP4ysdbJpiu41mRakkgJ5eK4u9Fq7vw1mYbsOgvb77VyFCyjvy
XlWLIIJF2UZMjIiqP6Nlr93KV6mZlBN/saS1K9M=
-----END CERTIFICATE-----
";

/// Its key (PKCS #8), which signs nothing outside these tests.
const KEY: &str = "\
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQComH+1w69JOiwXkw4V0SakizC7gJxiPYqY6VWXcNr6loAPbS9A5Rg2N4f0jgvm4nr1Ke\
sBMywfaEDOYkKbvgGTmhLp8NPl6e7GmgnvuTzLBOD1BAhhmthqbY2emv8taSaQ5PappifyyB+7QS7eRVoXVCHh6D3w+aHR0CWC3aBas4kpVgtzfXB/0DyN\
gzScquS+IV4bNmk+0UN2obhiZN1bCDWLW429m3RTUFuM+E/kovispAEQ5voXMSBO5wrFtnu128WlCenjfD96wiHqCchRHWVE5maLXv5Q4hRQO48LNh1s38\
l11ll35zpz6GF8RWk6cxwPL3Xu/PMUkHVzlKOpAgMBAAECggEADDY3kefhq3EuPmrla0kh/msilYJEUY1Zm6fTDkwbYGlET1m+QXoWnd6510nurMOc2mM1\
5Xlaac/4WbqeTn+dx54yXoWWI6IlLHd93sJRF/d7f+PR45f+sv7KckGR2C00oOwkvbcOT7SVL9AR4AGv+96ZMa7LxcefI/5qqSb6dXdLkClNI7xZ205ULj\
IHRaIu1xNd8v6JuXDXDgRol0SNRBCDUBBtxfdcilc4w6C7FBnmfM59koWvyGs47hGOQpVlZHozRQkOof9lMHTCgvWTRDdl2/sbdM27RQr/2TAAEShngJSE\
8UucuNCFR+X79GBAl470FO9yfyAXtKo+vWdunQKBgQDRiSbIosthRMggl19o8Ozol8e1p5KisE2LzndShP+z+Zf/AMMzYye/pTwmWPWso2+bvVbbSE8gqm\
tjQwjKNdvpJ9HHuyWSrtHjVfcEie/JI8rStUEW74IKmSaeqUQbClMAfqAGdaKtWHxXzossLevvVMq0hJnuaW+M+ZDctGPSfwKBgQDN+0cUz9wzKmle292A\
S/CnCUV8v/oF3si4NDGXcV46384wyzc8Zstd3uW3Lf9dKARb+tfizaYEIXzO08GLWolpMsJxJZLRdZgfNlKxiG+EA9DDBc44J5UdarUaEi9q4Ydzz4/6xe\
3HmnhO92Ag2P1Cd+/u9mnFE9aye1Fig22l1wKBgQCbWJ+UaH14Y9Irt45Y8yXxW3YIy2//hc44NJ5qY4hgGlACEsKluoGhqBNsKtAZaiI4yKs4b+eaRD7R\
nMVLhZrAxXDWL32vvkSF0xoMF2fbK9oXVaIoKvGygdEMGFoR4hmfaEGkCFrPQacOQmcUHgeprKeMJjMpeqnlTrGDr4nCaQKBgQC682fOceIv5jyAxhlCCq\
q/UGDrGur4TP3sgiLIizK1SNBB5Q+bGMlXx6jDG1J84IckXIV46qHVefdnWTZ/Hos9Gb71Jt8ckRiiq5FeZLCiJzxg5XIH8ZUbf/AjW4ICBfQEnszVFLP9\
yCuNsGRlK8yheW4hezEAmELy944kVZk9PQKBgGGryCoDxfXB5j2sAAZrHzYTyzWp3bsY2eI+21fvZwAh4vpmPAXfkR4ncuzT5G+Z5YhzMtuRdetFa6u/hN\
onuN0RqevEV6YwCkOJ1sO0KliHhabxTmOyfqKql/ejqJPUDPuWcmtJkLrp+1q5hk7hWWgl9oH2b3JTJmDmMOCu2dHQ";

/// An event.
pub fn event(id: &str, event_type: &str, seconds: i64, resource: Value) -> Vec<u8> {
    let body = json!({"id": id, "event_version": "1.0", "create_time": at(seconds), "event_type": event_type, "resource_version": "2.0",
        "resource": resource});
    body.to_string().into_bytes()
}

/// The header fields of a request with this body, transmitted so many seconds from now.
pub fn signed(body: &[u8], seconds: i64) -> Vec<(String, String)> {
    let (id, time) = ("69cd13f0-d67a-11e5-baa3-778b53f4ae55", at(seconds));
    let message = format!("{id}|{time}|{WEBHOOK}|{}", crc32(body));
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(KEY).unwrap()).unwrap();
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    let fields = [
        ("PAYPAL-TRANSMISSION-ID", id.to_owned()),
        ("PAYPAL-TRANSMISSION-TIME", time),
        ("PAYPAL-TRANSMISSION-SIG", STANDARD.encode(signature)),
        ("PAYPAL-AUTH-ALGO", "SHA256withRSA".to_owned()),
        ("PAYPAL-CERT-URL", ADDRESS.to_owned()),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// CRC-32, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = !0_u32;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
        }
    }
    !sum
}
