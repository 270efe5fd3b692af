//! What was bought, on disk.

use serde::{Deserialize, Serialize};

use crate::model::statement::{Details, Item};

use super::owned;

/// A [`Details`].
#[derive(Serialize, Deserialize)]
pub(super) struct DetailsV1<'a> {
    tax: Option<i64>,
    shipping: Option<i64>,
    discount: Option<i64>,
    #[serde(borrow)]
    coupon: Option<&'a str>,
    #[serde(borrow)]
    items: Vec<ItemV1<'a>>,
    #[serde(borrow)]
    payment_method_type: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct ItemV1<'a> {
    #[serde(borrow)]
    id: Option<&'a str>,
    #[serde(borrow)]
    name: Option<&'a str>,
    quantity: u32,
    unit_minor: Option<i64>,
}

impl<'a> DetailsV1<'a> {
    /// As it is written; none when nothing is known.
    pub(super) fn of(details: &'a Details) -> Option<Self> {
        (*details != Details::default()).then(|| Self {
            tax: details.tax,
            shipping: details.shipping,
            discount: details.discount,
            coupon: details.coupon.as_deref(),
            items: details.items.iter().map(ItemV1::of).collect(),
            payment_method_type: details.payment_method_type.as_deref(),
        })
    }

    /// As it was.
    pub(super) fn read(stored: Option<Self>) -> Details {
        stored.map_or_else(Details::default, |stored| Details {
            tax: stored.tax,
            shipping: stored.shipping,
            discount: stored.discount,
            coupon: owned(stored.coupon),
            items: stored.items.into_iter().map(ItemV1::read).collect(),
            payment_method_type: owned(stored.payment_method_type),
        })
    }
}

impl<'a> ItemV1<'a> {
    fn of(item: &'a Item) -> Self {
        Self {
            id: item.id.as_deref(),
            name: item.name.as_deref(),
            quantity: item.quantity,
            unit_minor: item.unit_minor,
        }
    }

    fn read(self) -> Item {
        Item { id: owned(self.id), name: owned(self.name), quantity: self.quantity, unit_minor: self.unit_minor }
    }
}
