//! The bytes of each record, as they were when its version was released. A test that fails here means that files already
//! written can't be read any more: add a version instead of changing the bytes.
//!
//! In each text the first byte is the version and a space stands between fields. Texts and lists begin with their
//! length; what may be missing begins with 00 or 01; signed numbers are zigzag, so that 2 is written 04.

use super::super::*;
use super::samples;
use crate::model::delivery::Standing;
use crate::model::group::SubscriptionHistory;
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, WebhookId};
use crate::model::identity::Holder;
use crate::model::totals::Totals;

/// Asserts that the value is written as these bytes and that they read back.
macro_rules! golden {
    ($name:ident, $value:expr, $encode:expr, $decode:expr, $hex:literal) => {
        #[test]
        fn $name() {
            let value = $value;
            let hex: String = $hex.split_whitespace().collect();
            assert_eq!(hex::encode($encode(&value)), hex);
            assert_eq!($decode(&hex::decode(hex).unwrap()), Ok(value));
        }
    };
}

golden!(
    a_full_webhook,
    samples::full_webhook(),
    webhook::encode,
    |bytes: &[u8]| webhook::decode(WebhookId(1), bytes),
    "00 0473686f70 00077374726970652f 056576745f31 106368617267652e737563636565646564 01 f6a1abfef962 0180a0abfef962 00
     010a7468696e206576656e74 01ac02 020102 8010 01 0168 01ff 01 0176"
);
golden!(
    a_bare_webhook,
    samples::bare_webhook(),
    webhook::encode,
    |bytes: &[u8]| webhook::decode(WebhookId(2), bytes),
    "00 00 01016d 056576745f32 00 00 00 00 02 00 00 00 00 00 00"
);
golden!(
    a_full_group,
    samples::full_group(),
    group::encode,
    |bytes: &[u8]| group::decode(GroupId(1), bytes),
    "00 067374726970650106616363745f3101 0102
     01 030463685f31 06 056576745f31 02 01020470695f31 01056375735f31 01057375625f31 01d89a016575720801 02
     010463685f3001da9a01757364010d636172645f6465636c696e656404 010d6a707910010001
     01106a707901120114 01 0116056576745f73010102706c01e807657572011c 010a 0118 050102706c01e807657572011c
     011a056576745f6300000000020007
     01 01011e 0120056576745f6204 0122 0124 0112657572 01 000b 26 00 01 03026c30
     01 0102 0104 0105 0102636f 02 01016901016e020164 00000100 010463617264
     01 010b6140622e6578616d706c65 010c2b3439333031323334353637 01044a616e65
     01 01016c 010175 010170 01016f 010173 0102736e
     01 0103312e32 010133 01 01027573 0102756d 01027563 01027574 0102756e 01 010167 01026762 01027762 010166 02 06
     0103 01 0a 000a 010472655f310b 020472655f320c 030470695f310463685f300d 0401780e 050464755f310f 060464755f3210
     0711 08056576745f6312 0913
     0112 01 01ca9a01657572 0108d89a016575720470695f3101 010463617264 01 02 01011e057375625f31040102706c 0116 0118"
);
golden!(
    a_bare_group,
    samples::bare_group(),
    group::encode,
    |bytes: &[u8]| group::decode(GroupId(2), bytes),
    "00 067374726970650000 00 01 000463735f31 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
);
golden!(
    a_full_business_event,
    samples::full_business_event(),
    business_event::encode,
    |bytes: &[u8]| business_event::decode(BusinessEventId(1), bytes),
    "00 0006 016b 067374726970650106616363745f3101 010472655f31 0102 0103 04 0a 0c 010174 01 01d89a01657572
     01 01 0102 0104 0105 0102636f 02 01016901016e020164 00000100 010463617264 010170 01016c 010175 010173 0102736e
     01 0103312e32 010133 01 01027573 0102756d 01027563 01027574 0102756e 01 010167 01026762 01027762 010166 02 06
     01026663 01057375625f31030102706c01e807657572011c0105 01026170020128 00 012a 01d89a01657572 0107 0101 020500
     05 01 00 01 0a0102010c 01f703 010e 0101037669700103312e3201 01
     02 0110 00 00000000 00 00 00 00 03 020910 00 00000000 00 00 00 00 04 0305016510 00 00000000 00 00 00 00
     05 04017210 00 00000000 00 00 00 00"
);
golden!(
    a_bare_business_event,
    samples::bare_business_event(),
    business_event::encode,
    |bytes: &[u8]| business_event::decode(BusinessEventId(2), bytes),
    "00 0000 00 067374726970650000 00 00 00 00 00 00 00 00 00 00 01 01 00 00 00000000 00 00 00 00"
);
golden!(
    a_full_contact,
    samples::full_contact(),
    contact::encode,
    |bytes: &[u8]| contact::decode(ContactId(1), bytes),
    "00 01 0102 0101040c2b3439333031323334353637 0101 03026c39
     01 010b6140622e6578616d706c65 010c2b3439333031323334353637 01044a616e65 020406 010170 08 010463617264
     01 01 0103312e32 010133 01 01027573 0102756d 01027563 01027574 0102756e 01 010167 01026762 01027762 010166 02
     01 0103392e39 00 00 00 00 06 0a0c0e 04 0120000012 03 02d89a0165757200757364 01 02 03 04 0110 01657572 01120174d89a01657572
     010506011601180101 1e057375625f31040102706c 0114"
);
golden!(
    a_bare_contact,
    samples::bare_contact(),
    contact::encode,
    |bytes: &[u8]| contact::decode(ContactId(2), bytes),
    "00 00 00 00 00 00 000000 00 00 00 0000 00 000000 00 00 00 00 00 00 00 00 00 00 00 00 00"
);
golden!(
    a_full_contact_sync,
    samples::full_contact_sync(),
    contact_sync::encode,
    |bytes: &[u8]| contact_sync::decode(DestinationId(1), ContactId(2), bytes),
    "00 0203ac02 0a0102010c 0110 0e 010172 010165 01 027232"
);
golden!(
    a_bare_contact_sync,
    samples::bare_contact_sync(),
    contact_sync::encode,
    |bytes: &[u8]| contact_sync::decode(DestinationId(2), ContactId(3), bytes),
    "00 00 00000000 00 00 00 00 00"
);
golden!(
    a_full_attempt,
    samples::full_attempt(),
    attempt::encode,
    attempt::decode,
    "00 f6a1abfef962 fa01 01 07504f5354202f78 01f703 0a72657472793a20353033 0462757379"
);
golden!(a_bare_attempt, samples::bare_attempt(), attempt::encode, attempt::decode, "00 00 00 00 00 00 00 00");
golden!(
    a_full_standing,
    samples::full_standing(),
    standing::encode,
    standing::decode,
    "00 01 0102036b65790403 0108 010a0c07"
);
golden!(a_bare_standing, Standing::default(), standing::encode, standing::decode, "00 00 00 00 00");
golden!(
    a_full_subscription,
    samples::full_subscription(),
    subscription::encode,
    subscription::decode,
    "00 010204696e5f3102 01 01"
);
golden!(a_bare_subscription, SubscriptionHistory::default(), subscription::encode, subscription::decode, "00 00 00 00");
golden!(
    a_contact_that_holds_an_identity,
    Holder::Contact(ContactId(300)),
    |holder: &Holder| holder::encode(*holder),
    holder::decode,
    "00 00ac02"
);
golden!(a_shared_identity, Holder::Shared, |holder: &Holder| holder::encode(*holder), holder::decode, "00 01");
golden!(
    an_identity_of_a_lead,
    Holder::Lead(ContactId(300)),
    |holder: &Holder| holder::encode(*holder),
    holder::decode,
    "00 02 ac02"
);
golden!(
    full_totals,
    samples::full_totals(),
    totals::encode,
    totals::decode,
    "00 ac02 02 0161010104 03ac02 016200000000 01 01 01020304ac02 05 06 01cae00109 0111 07 01cae00104030201"
);
golden!(bare_totals, Totals::default(), totals::encode, totals::decode, "00 00 00 00 00 00 00 00 00 00");
golden!(
    a_full_lead,
    samples::full_lead(),
    lead::encode,
    |bytes: &[u8]| lead::decode("lead_1", bytes),
    "00 02 04
     01 0103312e32 010133 01 01027573 0102756d 01027563 01027574 0102756e 01 010167 01026762 01027762 010166 02
     01 01 0103392e39 00 00 00 00 06 0a0c0e
     01 010b6140622e6578616d706c65 010c2b3439333031323334353637 01044a616e65 01 02 0103"
);
golden!(
    a_bare_lead,
    samples::bare_lead(),
    lead::encode,
    |bytes: &[u8]| lead::decode("lead_2", bytes),
    "00 02 02 00 00 00 000000 00 00 00 00"
);
golden!(
    a_refused_request,
    samples::refused(),
    refused::encode,
    |bytes: &[u8]| refused::decode("shop", 12, bytes),
    "00 04 09 3139322e302e322e37 01 6e 02 5768 01 01 73 02 ff31 01 01 76 01 07 6576656e743d76 8010"
);
golden!(
    an_upgrade,
    crate::store::Upgraded {
        from: 1,
        to: 3,
        at: crate::model::time::Timestamp::from_millis(5),
        backup: Some("a.backup".into())
    },
    upgraded::encode,
    upgraded::decode,
    "00 01 03 0a 01 08 612e6261636b7570"
);
