//! Arbitrary models.

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use crate::model::attribution::{Attribution, Consent, ConsentSource, ConsentSources};
use crate::model::booking::{BookingState, BookingStatus, ToldBooking};
use crate::model::breaker::{Breaker, Open};
use crate::model::business_event::{
    BookingFacts, BusinessEvent, EventFacts, EventKind, Mark, Subject, SubscriptionFacts,
};
use crate::model::contact::{
    ConsentTimes, Contact, LastSale, PersonTimes, SaleAmount, SubscriptionStanding, Subscriptions,
};
use crate::model::delivery::{
    Attempt, ContactSync, Delivery, Failure, FailureClass, Frozen, Held, Rule, Schedule, Standing, State,
};
use crate::model::envelope::Envelope;
use crate::model::group::{
    BilledInvoice, ContributedSale, ContributedSubscription, Contribution, Group, SubscriptionHistory,
};
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, Mode, Scope, WebhookId};
use crate::model::identity::{Email, Holder, Identity, IdentityKind, Phone};
use crate::model::lead::Lead;
use crate::model::money::{Money, Sums};
use crate::model::statement::{
    Billing, Details, DisputeState, FailedAttempt, Happening, Item, ObjectKind, ObjectRef, ObjectState, Paid, Person,
    RefundState, Tags,
};
use crate::model::subscription::{
    SubscriptionChange, SubscriptionStart, SubscriptionState, SubscriptionStatus, SubscriptionTerms, ToldChange,
};
use crate::model::time::Timestamp;
use crate::model::totals::{OddTotals, SaleShares, SaleTotals, SourceTotals, Totals};
use crate::model::webhook::{Status, Webhook};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z0-9_/]{1,12}", "\\PC{0,6}"]
}

fn maybe() -> impl Strategy<Value = Option<String>> {
    of(text())
}

fn at() -> impl Strategy<Value = Timestamp> {
    prop_oneof![Just(0), 1_600_000_000_000..1_900_000_000_000_i64, any::<i64>()].prop_map(Timestamp::from_millis)
}

fn money() -> impl Strategy<Value = Money> {
    (any::<i64>(), "[a-z]{3}").prop_map(|(minor, code)| Money { minor, currency: code.parse().unwrap() })
}

fn mode() -> impl Strategy<Value = Mode> {
    select(&[Mode::Live, Mode::Test][..])
}

fn scope() -> impl Strategy<Value = Scope> {
    (text(), maybe(), mode()).prop_map(|(provider, account, mode)| Scope { provider, account, mode })
}

fn consent() -> impl Strategy<Value = Consent> {
    let said = of(any::<bool>());
    (said.clone(), said.clone(), said).prop_map(|(analytics, ads, email)| Consent { analytics, ads, email })
}

fn attribution() -> BoxedStrategy<Attribution> {
    let filled =
        ([maybe(), maybe(), maybe(), maybe(), maybe(), maybe(), maybe()], [maybe(), maybe(), maybe(), maybe()], at())
            .prop_map(|(first, clicks, at)| {
                let [client_id, session_id, utm_source, utm_medium, utm_campaign, utm_term, utm_content] = first;
                let [gclid, gbraid, wbraid, fbclid] = clicks;
                Attribution {
                    client_id,
                    session_id,
                    utm_source,
                    utm_medium,
                    utm_campaign,
                    utm_term,
                    utm_content,
                    gclid,
                    gbraid,
                    wbraid,
                    fbclid,
                    at,
                }
            });
    let only_a_time = at().prop_map(|at| Attribution { at, ..Attribution::default() });
    prop_oneof![Just(Attribution::default()), only_a_time, filled].boxed()
}

fn details() -> BoxedStrategy<Details> {
    let item = (maybe(), maybe(), any::<u32>(), of(any::<i64>())).prop_map(|(id, name, quantity, unit_minor)| Item {
        id,
        name,
        quantity,
        unit_minor,
    });
    let minor = of(any::<i64>());
    let filled = (minor.clone(), minor.clone(), minor, maybe(), vec(item, 0..3), maybe()).prop_map(
        |(tax, shipping, discount, coupon, items, payment_method_type)| Details {
            tax,
            shipping,
            discount,
            coupon,
            items,
            payment_method_type,
        },
    );
    prop_oneof![Just(Details::default()), filled].boxed()
}

fn person() -> BoxedStrategy<Person> {
    (of("[a-zA-ZÄİ]{1,8}@[a-z]{1,8}"), of("\\+[1-9][0-9]{8,12}"), maybe())
        .prop_map(|(email, phone, name)| Person {
            email: email.as_deref().and_then(Email::parse),
            phone: phone.as_deref().and_then(Phone::parse),
            name,
        })
        .boxed()
}

fn tags() -> BoxedStrategy<Tags> {
    let filled = ([maybe(), maybe(), maybe(), maybe(), maybe(), maybe()], attribution(), consent()).prop_map(
        |([lead_id, user_id, pricing_tier, order_id, service_id, service_name], attribution, consent)| Tags {
            lead_id,
            user_id,
            pricing_tier,
            order_id,
            service_id,
            service_name,
            attribution,
            consent,
        },
    );
    prop_oneof![Just(Tags::default()), filled].boxed()
}

fn kind() -> impl Strategy<Value = EventKind> {
    let named = select(EventKind::named().collect::<Vec<_>>()).prop_map(|name| name.parse().unwrap());
    prop_oneof![3 => named, 1 => text().prop_map(EventKind::Custom)]
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        Just(Subject::Sale),
        text().prop_map(Subject::Refund),
        text().prop_map(Subject::RefundCameBack),
        (text(), text()).prop_map(|(object, attempt)| Subject::FailedAttempt(object, attempt)),
        text().prop_map(Subject::Other),
        text().prop_map(Subject::DisputeLost),
        text().prop_map(Subject::DisputeReversed),
        Just(Subject::SubscriptionStarted),
        text().prop_map(Subject::SubscriptionChanged),
        Just(Subject::SubscriptionEnded),
    ]
}

fn object_ref() -> impl Strategy<Value = ObjectRef> {
    let kinds = [
        ObjectKind::Session,
        ObjectKind::Invoice,
        ObjectKind::Intent,
        ObjectKind::Charge,
        ObjectKind::Refund,
        ObjectKind::Dispute,
        ObjectKind::Subscription,
        ObjectKind::Customer,
    ];
    (select(kinds.to_vec()), text()).prop_map(|(kind, id)| ObjectRef { kind, id })
}

fn paid() -> impl Strategy<Value = Paid> {
    let reasons = [
        Billing::SubscriptionStart,
        Billing::SubscriptionCycle,
        Billing::SubscriptionUpdate,
        Billing::SubscriptionOther,
        Billing::Manual,
    ];
    (money(), at(), of(select(reasons.to_vec()))).prop_map(|(amount, at, billing)| Paid { amount, at, billing })
}

fn status() -> impl Strategy<Value = SubscriptionStatus> {
    use SubscriptionStatus::{Active, Ended, NotBegun, Overdue, Paused, Trialing};
    select(vec![NotBegun, Trialing, Active, Overdue, Paused, Ended])
}

fn changes() -> impl Strategy<Value = Vec<SubscriptionChange>> {
    use SubscriptionChange::{EndCancelled, EndScheduled, Overdue, Paused, Plan, Recovered, Resumed, TrialEnded};
    let all = vec![Plan, Paused, Resumed, EndScheduled, EndCancelled, Overdue, Recovered, TrialEnded];
    vec(select(all), 0..3)
}

fn terms() -> impl Strategy<Value = SubscriptionTerms> {
    (status(), maybe(), of(money()), of(at())).prop_map(|(status, plan, price, ends_at)| SubscriptionTerms {
        status,
        plan,
        price,
        ends_at,
    })
}

fn life() -> BoxedStrategy<SubscriptionState> {
    let start = (at(), text(), terms()).prop_map(|(at, event_id, terms)| SubscriptionStart { at, event_id, terms });
    let change = (at(), text(), changes(), terms()).prop_map(|(at, event_id, what, terms)| ToldChange {
        at,
        event_id,
        what,
        terms,
    });
    (of(start), of(at()), of(at()), terms(), vec(change, 0..3))
        .prop_map(|(start, unbegun_at, ended_at, terms, changes)| SubscriptionState {
            start,
            unbegun_at,
            ended_at,
            terms,
            changes,
        })
        .boxed()
}

fn standing_of_subscription() -> impl Strategy<Value = SubscriptionStanding> {
    (any::<bool>(), at(), text(), status(), maybe())
        .prop_map(|(running, said_at, id, status, plan)| SubscriptionStanding { running, said_at, id, status, plan })
}

fn booking_status() -> impl Strategy<Value = BookingStatus> {
    use BookingStatus::{Attended, Booked, Cancelled, Missed, Removed};
    select(&[Booked, Removed, Cancelled, Missed, Attended][..])
}

fn booking() -> BoxedStrategy<BookingState> {
    let told = (at(), text(), booking_status(), of(at()), of(at()), of(money())).prop_map(
        |(at, event_id, status, starts_at, ends_at, value)| ToldBooking {
            at,
            event_id,
            status,
            starts_at,
            ends_at,
            value,
        },
    );
    (of(at()), vec(told, 0..3)).prop_map(|(made_at, told)| BookingState { made_at, told }).boxed()
}

fn happening() -> impl Strategy<Value = Happening> {
    (kind(), at(), of(money())).prop_map(|(kind, at, value)| Happening { kind, at, value })
}

fn object_state() -> BoxedStrategy<ObjectState> {
    let failed_attempt = (text(), of(money()), maybe(), at()).prop_map(|(attempt, amount, code, at)| FailedAttempt {
        attempt,
        amount,
        code,
        at,
    });
    let refund = (money(), at(), any::<[bool; 3]>())
        .prop_map(|(amount, at, [counted, failed, cancelled])| RefundState { amount, at, counted, failed, cancelled });
    let dispute = (money(), of(at()), of(at())).prop_map(|(amount, lost_at, restored_at)| DisputeState {
        amount,
        lost_at,
        restored_at,
    });
    let named = (object_ref(), at(), at(), text(), vec(object_ref(), 0..3), maybe(), maybe());
    let told =
        (of(paid()), vec(failed_attempt, 0..3), of(refund), of(dispute), of(life()), details(), person(), tags());
    let claim = (select(vec![IdentityKind::Lead, IdentityKind::Phone]), text());
    let more = (of(booking()), vec(happening(), 0..3), vec(claim, 0..3));
    (named, told, more)
        .prop_map(
            |(
                (object, said_at, heard_at, said_by, links, customer, subscription),
                (paid, failed_attempts, refund, dispute, life, details, person, tags),
                (booking, happened, also_named),
            )| ObjectState {
                object,
                said_at,
                said_by,
                heard_at,
                links,
                customer,
                subscription,
                paid,
                failed_attempts,
                refund,
                dispute,
                life,
                booking,
                happened,
                details,
                person,
                tags,
                also_named,
            },
        )
        .boxed()
}

fn schedule() -> impl Strategy<Value = Schedule> {
    (at(), any::<bool>(), any::<u16>(), of(at())).prop_map(|(due_at, settling, attempts, started_at)| Schedule {
        due_at,
        settling,
        attempts,
        started_at,
    })
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Pending),
        at().prop_map(|at| State::Delivered { at }),
        (select(&Rule::ALL[..]), at()).prop_map(|(rule, at)| State::Suppressed { rule, at }),
        (select(&FailureClass::ALL[..]), text(), at())
            .prop_map(|(class, explanation, at)| State::Failed { failure: Failure { class, explanation }, at }),
        (text(), at()).prop_map(|(reason, at)| State::Discarded { reason, at }),
    ]
}

fn delivery() -> BoxedStrategy<Delivery> {
    let frozen =
        (kind(), maybe(), any::<bool>()).prop_map(|(kind, client_id, synthetic)| Frozen { kind, client_id, synthetic });
    (any::<u16>(), state(), any::<u16>(), schedule(), of(any::<u16>()), any::<bool>(), of(at()), of(frozen))
        .prop_map(|(destination, state, generation, schedule, last_status, may_have_arrived, deadline, frozen)| {
            Delivery {
                destination: DestinationId(destination),
                state,
                generation,
                schedule,
                last_status,
                may_have_arrived,
                deadline,
                frozen,
            }
        })
        .boxed()
}

fn event_facts() -> BoxedStrategy<EventFacts> {
    let marks = [
        Mark::ByLikeness,
        Mark::Upgrade,
        Mark::Unmatched,
        Mark::Capped,
        Mark::ToldTwice,
        Mark::ChangedAfterSent,
        Mark::Absorbed,
        Mark::HeldBack,
        Mark::LentTouches,
        Mark::ConsentByDefault,
    ];
    let said = (details(), [maybe(), maybe(), maybe(), maybe(), maybe(), maybe()], attribution(), consent());
    let subscription = (text(), terms(), changes()).prop_map(|(id, terms, changes)| SubscriptionFacts {
        id,
        status: terms.status,
        plan: terms.plan,
        price: terms.price,
        changes,
        ends_at: terms.ends_at,
    });
    let booking = (text(), booking_status(), of(at()), of(at()), of(at())).prop_map(
        |(id, status, starts_at, ends_at, moved_from)| BookingFacts { id, status, starts_at, ends_at, moved_from },
    );
    let counted = (of(money()), of(any::<u32>()), of(any::<bool>()), vec(select(marks.to_vec()), 0..3));
    let filled = (said, of(subscription), of(booking), counted).prop_map(
        |(
            (details, texts, attribution, consent),
            subscription,
            booking,
            (sale_amount, days_to_conversion, returning, marks),
        )| {
            let [pricing_tier, lead_id, user_id, service_id, service_name, failure_code] = texts;
            EventFacts {
                details,
                pricing_tier,
                lead_id,
                user_id,
                service_id,
                service_name,
                attribution,
                consent,
                failure_code,
                subscription,
                booking,
                sale_amount,
                days_to_conversion,
                returning,
                marks,
            }
        },
    );
    prop_oneof![Just(EventFacts::default()), filled].boxed()
}

fn envelope() -> impl Strategy<Value = Envelope> {
    let headers = vec((text(), vec(any::<u8>(), 0..9)), 0..3);
    (headers, of(text())).prop_map(|(headers, event)| Envelope { headers, event })
}

pub(super) fn webhook() -> BoxedStrategy<Webhook> {
    let statuses = [Status::Accepted, Status::Ignored, Status::Unreadable];
    let named = (any::<u64>(), text(), text(), any::<bool>(), text(), text(), mode());
    let told =
        (at(), of(at()), select(statuses.to_vec()), vec(text(), 0..3), of(any::<u64>()), vec(any::<u64>(), 0..3));
    (named, told, any::<u32>(), envelope())
        .prop_map(
            |(
                (id, source, start, ends_in_id, provider_id, event_type, mode),
                (received_at, created, status, notes, group, business_events),
                body_bytes,
                envelope,
            )| Webhook {
                id: WebhookId(id),
                source,
                mark: if ends_in_id { format!("{start}{provider_id}") } else { start },
                provider_id,
                event_type,
                mode,
                received_at,
                created,
                status,
                notes,
                group: group.map(GroupId),
                business_events: business_events.into_iter().map(BusinessEventId).collect(),
                envelope,
                body_bytes,
            },
        )
        .boxed()
}

pub(super) fn group() -> BoxedStrategy<Group> {
    let sale = (at(), money(), text(), any::<bool>(), maybe()).prop_map(
        |(at, amount, transaction_id, renewal, payment_method_type)| ContributedSale {
            at,
            amount,
            transaction_id,
            renewal,
            payment_method_type,
        },
    );
    let subscription = (standing_of_subscription(), of(at()), of(at()))
        .prop_map(|(standing, started_at, ended_at)| ContributedSubscription { standing, started_at, ended_at });
    let contribution = (of(money()), of(sale), any::<[u32; 2]>(), of(subscription)).prop_map(
        |(net, sale, [refunds, disputes_lost], subscription)| Contribution {
            net,
            sale,
            refunds,
            disputes_lost,
            subscription,
        },
    );
    let events = vec((subject(), any::<u64>().prop_map(BusinessEventId)), 0..4);
    let ids = (any::<u64>(), of(any::<u64>()), of(any::<u64>()), any::<bool>());
    (ids, scope(), vec(object_state(), 0..3), events, of(at()), contribution)
        .prop_map(|((id, merged_into, contact, counted), scope, objects, events, settle_at, contribution)| Group {
            id: GroupId(id),
            scope,
            merged_into: merged_into.map(GroupId),
            objects,
            contact: contact.map(ContactId),
            counted,
            events,
            settle_at,
            contribution,
        })
        .boxed()
}

pub(super) fn business_event() -> BoxedStrategy<BusinessEvent> {
    let ids = (any::<u64>(), of(any::<u64>()), of(any::<u64>()), any::<u64>());
    let fixed = (at(), at(), maybe(), any::<bool>(), of(money()));
    (ids, kind(), text(), scope(), subject(), fixed, event_facts(), vec(delivery(), 0..4))
        .prop_map(
            |(
                (id, group, contact, webhook),
                kind,
                key,
                scope,
                subject,
                (created_at, occurred_at, transaction_id, frozen, amount),
                facts,
                deliveries,
            )| BusinessEvent {
                id: BusinessEventId(id),
                kind,
                key,
                scope,
                subject,
                group: group.map(GroupId),
                contact: contact.map(ContactId),
                webhook: WebhookId(webhook),
                created_at,
                occurred_at,
                transaction_id,
                frozen,
                amount,
                facts,
                deliveries,
            },
        )
        .boxed()
}

pub(super) fn contact() -> BoxedStrategy<Contact> {
    let kinds =
        [IdentityKind::Email, IdentityKind::Customer, IdentityKind::User, IdentityKind::Lead, IdentityKind::Phone];
    let identities = || {
        let identity = (mode(), select(kinds.to_vec()), text());
        vec(identity.prop_map(|(mode, kind, value)| Identity { mode, kind, value }), 0..3)
    };
    let touches = (attribution(), of(attribution())).prop_map(|(first, last)| (first.clone(), last.unwrap_or(first)));
    let last_sale = (at(), text(), money()).prop_map(|(at, transaction_id, amount)| LastSale {
        at,
        transaction_id,
        amount: SaleAmount(amount),
    });
    let who = (any::<u64>(), mode(), of(any::<u64>()), [identities(), identities()], person());
    let source = select(vec![ConsentSource::Sender, ConsentSource::Browser]);
    let overruled = (consent(), at());
    let of_leads = (source, any::<bool>(), any::<bool>(), overruled);
    let said = ([maybe(), maybe()], touches, consent(), [at(), at(), at(), at(), at(), at(), at()], of_leads);
    let subscriptions = (any::<[u32; 2]>(), of(at()), of(at()), of(standing_of_subscription())).prop_map(
        |([running, ended], first_started_at, last_ended_at, newest)| Subscriptions {
            running,
            ended,
            first_started_at,
            last_ended_at,
            newest,
        },
    );
    let bought = (vec(money(), 0..3), any::<[u32; 4]>(), of(at()), of(last_sale), subscriptions, of(at()));
    (who, said, bought)
        .prop_map(|(who, said, bought)| {
            let (id, mode, merged_into, [identities, shared], person) = who;
            let (
                [pricing_tier, payment_method_type],
                touches,
                consent,
                [email, phone, name, tier, analytics, ads, mail],
                (source, unverified, lent_touches, (consent_overruled, overruled_at)),
            ) = said;
            let (totals, counts, customer_since, last_sale, subscriptions, lead_since) = bought;
            let [purchases, renewals, refunds, disputes_lost] = counts;
            Contact {
                id: ContactId(id),
                mode,
                merged_into: merged_into.map(ContactId),
                identities,
                shared,
                person,
                person_said_at: PersonTimes { email, phone, name },
                pricing_tier,
                pricing_tier_said_at: tier,
                payment_method_type,
                first_attribution: touches.0,
                last_attribution: touches.1,
                consent,
                consent_said_at: ConsentTimes { analytics, ads, email: mail },
                consent_said_by: ConsentSources::all(source),
                consent_overruled,
                consent_overruled_at: ConsentTimes { ads: overruled_at, ..ConsentTimes::default() },
                unverified,
                lent_touches,
                erased: false,
                first_currency: totals.first().map(|sum| sum.currency),
                totals: Sums::from_amounts(totals),
                purchases,
                renewals,
                refunds,
                disputes_lost,
                customer_since,
                last_sale,
                subscriptions,
                lead_since,
            }
        })
        .boxed()
}

pub(super) fn contact_sync() -> impl Strategy<Value = ContactSync> {
    let known = (maybe(), maybe(), vec(text(), 0..3));
    (any::<u16>(), any::<u64>(), vec(any::<u64>(), 0..4), schedule(), (of(at()), at()), known).prop_map(
        |(
            destination,
            contact,
            pending,
            schedule,
            (not_before, waiting_since),
            (remote_id, external_id, left_over),
        )| ContactSync {
            destination: DestinationId(destination),
            contact: ContactId(contact),
            pending: pending.into_iter().map(BusinessEventId).collect(),
            schedule,
            not_before,
            waiting_since,
            remote_id,
            external_id,
            left_over,
        },
    )
}

pub(super) fn attempt() -> impl Strategy<Value = Attempt> {
    (at(), any::<u32>(), any::<u16>(), text(), of(any::<u16>()), text(), text()).prop_map(
        |(at, took_ms, generation, sent, status, outcome, excerpt)| Attempt {
            at,
            took_ms,
            generation,
            sent,
            status,
            outcome,
            excerpt,
        },
    )
}

pub(super) fn standing() -> impl Strategy<Value = Standing> {
    let held = (at(), text(), at(), any::<u16>()).prop_map(|(since, explanation, probe_at, probes)| Held {
        since,
        explanation,
        probe_at,
        probes,
    });
    let open = (at(), at(), any::<u16>()).prop_map(|(since, probe_at, probes)| Open { since, probe_at, probes });
    (any::<bool>(), of(held), of(at()), of(open)).prop_map(|(paused, held, not_before, open)| Standing {
        paused,
        held,
        not_before,
        breaker: Breaker::reopened(open),
    })
}

pub(super) fn subscription() -> impl Strategy<Value = SubscriptionHistory> {
    let invoice = (at(), text(), any::<u64>()).prop_map(|(at, invoice, group)| BilledInvoice {
        at,
        invoice,
        group: GroupId(group),
    });
    (of(invoice), any::<bool>(), any::<bool>()).prop_map(|(first_paid, started_free, renewed)| SubscriptionHistory {
        first_paid,
        started_free,
        renewed,
    })
}

pub(super) fn holder() -> impl Strategy<Value = Holder> {
    prop_oneof![
        any::<u64>().prop_map(|contact| Holder::Contact(ContactId(contact))),
        any::<u64>().prop_map(|contact| Holder::Lead(ContactId(contact))),
        Just(Holder::Shared)
    ]
}

pub(super) fn totals() -> impl Strategy<Value = Totals> {
    let source = (any::<[u64; 3]>(), of(at())).prop_map(|([count, refused, refused_bytes], last_event_at)| {
        SourceTotals { count, last_event_at, refused, refused_bytes }
    });
    let odd = (btree_map(any::<i64>(), any::<u64>(), 0..3), of(any::<u64>().prop_map(WebhookId)))
        .prop_map(|(by_day, last)| OddTotals { by_day, last });
    let destinations = btree_map(any::<u16>().prop_map(DestinationId), any::<[u64; 5]>(), 0..3);
    let shares = any::<[u64; 4]>().prop_map(|[sales, client_id, session_id, utm]| SaleShares {
        sales,
        client_id,
        session_id,
        utm,
    });
    let sales = btree_map(any::<i64>(), shares, 0..3);
    (any::<[u64; 4]>(), btree_map(text(), source, 0..3), destinations, odd, sales).prop_map(
        |([webhooks, ga4_with_client_id, ga4_synthetic, leads], sources, destinations, odd, by_day)| Totals {
            webhooks,
            sources,
            destinations,
            ga4_with_client_id,
            ga4_synthetic,
            odd,
            leads,
            sales: SaleTotals { by_day },
        },
    )
}

pub(super) fn lead() -> impl Strategy<Value = Lead> {
    let touches = (attribution(), of(attribution())).prop_map(|(first, last)| (first.clone(), last.unwrap_or(first)));
    (
        text(),
        [at(), at(), at(), at(), at()],
        touches,
        consent(),
        person(),
        (any::<u8>(), any::<u16>()),
        of(any::<u64>()),
    )
        .prop_map(
            |(
                id,
                [first_seen_at, last_seen_at, analytics, ads, email],
                (first, last),
                consent,
                person,
                (addresses, others),
                told,
            )| Lead {
                id,
                first_seen_at,
                last_seen_at,
                first,
                last,
                consent,
                consent_said_at: ConsentTimes { analytics, ads, email },
                person,
                addresses,
                others,
                told: told.map(GroupId),
            },
        )
}
