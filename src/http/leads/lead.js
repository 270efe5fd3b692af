// Tallyhook: where a visitor came from, kept in a first-party cookie and put into forms, payment links and booking links.
(function (W, D) {
  'use strict';
  var C = __CONFIG__, S = D.currentScript, K = '_tallyhook', T = ['client_id', 'session_id'], timer, last, retry, pause = 2,
    U = ['utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content', 'gclid', 'gbraid', 'wbraid', 'fbclid'];
  function option(name) { return S && S.getAttribute('data-' + name); }
  var waits = option('consent') ? option('consent') === 'wait' : C.wait, E, state, ga = {}, mail, queue = [];
  // Whatever goes wrong here, the page goes on.
  function safe(f) { return function (a) { try { return f(a); } catch (e) { return undefined; } }; }
  function cookies() {
    var all = {};
    D.cookie.split('; ').forEach(function (c) { var i = c.indexOf('='); all[c.slice(0, i)] = c.slice(i + 1); });
    return all;
  }
  function keep() {
    var domain = option('cookie-domain');
    D.cookie = K + '=' + encodeURIComponent(JSON.stringify(state)) + ';path=/;samesite=lax;max-age=' +
      C.days * 86400 + (domain ? ';domain=' + domain : '') + (location.protocol === 'https:' ? ';secure' : '');
  }
  function allowed() { return !(state.c.analytics === false || waits && state.c.analytics !== true); }
  function begin() {
    try { state = JSON.parse(decodeURIComponent(cookies()[K])); } catch (e) { state = null; }
    state = state || {};
    if (!/^[\w-]{8,200}$/.test(state.i)) state.i = '';
    state.c = state.c || {};
    // A yes to e-mail is for the address that is written with it, not for the browser.
    delete state.c.email;
  }
  function fresh() {
    return 'th_' + Array.from(crypto.getRandomValues(new Uint8Array(16)), function (b) {
      return (b + 256).toString(16).slice(1);
    }).join('');
  }
  function touch() {
    var found = new URLSearchParams(location.search), said = {}, any;
    U.forEach(function (k) { var v = found.get(k); if (v) { said[k] = v.slice(0, 150); any = 1; } });
    if (any) {
      said.t = Math.floor(Date.now() / 1000);
      state.l = said;
      state.f = state.f || said;
    }
    state.i = state.i || fresh();
  }
  function known() {
    var all = { lead_id: state.i }, l = state.l || {}, f = state.f || {}, c = cookies(), k;
    for (k in c) if (/^_ga(_\w+)?$/.test(k)) all[k] = c[k];
    T.forEach(function (k) { if (ga[k]) all[k] = ga[k]; });
    U.forEach(function (k) { if (l[k]) all[k] = l[k]; if (f[k]) all['first_' + k] = f[k]; });
    if (f.t) all.first_at = f.t;
    return all;
  }
  function post(body) {
    // Plain text needs no question in advance.
    return fetch(E, { method: 'POST', body: body, keepalive: true, credentials: 'omit', headers: { 'content-type': 'text/plain' } })
      .then(function (r) { if (r.status === 429 || r.status > 499) throw r; });
  }
  function send() {
    var body = known();
    body.consent = state.c;
    body = JSON.stringify(body);
    if (body === last || !E) return;
    last = body;
    post(body).catch(function () { last = ''; });
  }
  // What has no answer yet is kept: as long as the browser may remember, else for this tab.
  var remember = safe(function () {
    ['localStorage', 'sessionStorage'].forEach(function (s, i) {
      if (queue.length && allowed() === !i) W[s].setItem(K, JSON.stringify(queue)); else W[s].removeItem(K);
    });
  });
  var flush = safe(function () {
    clearTimeout(retry);
    queue = queue.filter(function (q) { return q[0] > Date.now() - 864e5; }).slice(-20);
    remember();
    queue.forEach(function (q) {
      if (q.sent) return;
      q.sent = 1;
      post(q[1]).then(function () { queue.splice(queue.indexOf(q), 1); remember(); }, function () {
        q.sent = 0;
        clearTimeout(retry);
        pause = Math.min(pause * 2, 300);
        retry = setTimeout(flush, pause * 1000);
      });
    });
  });
  function tell(all) {
    if (!E) return;
    queue.push([Date.now(), JSON.stringify(all)]);
    flush();
  }
  // What a person typed. Who allows no more is heard under an id that is used once.
  function say(more, box) {
    var ok = allowed(), all = ok ? known() : { lead_id: fresh() }, k;
    for (k in more) if (ok || /^(email|phone|name|trap)$/.test(k)) all[k] = more[k];
    if (!ok && !all.email && !all.phone) return;
    all.consent = Object.assign({}, state.c, { email: box }, more.consent);
    if (!ok) all.consent.analytics = false;
    tell(all);
  }
  function add(url, values) {
    var u = new URL(url, location.href), k, changed;
    for (k in values) if (values[k] && !u.searchParams.has(k)) { u.searchParams.set(k, values[k]); changed = 1; }
    return changed && u.href;
  }
  function each(what, f) { Array.prototype.forEach.call(D.querySelectorAll(what), safe(f)); }
  function forLinks() {
    var all = known(), out = { lead_id: state.i }, g = /^GA\d+\.[\d-]+\.(\d+\.\d+)$/.exec(all._ga);
    U.forEach(function (k) { out[k] = all[k]; });
    out.ga_client_id = ga.client_id || g && g[1];
    return out;
  }
  var decorate = safe(function () {
    timer = 0;
    if (!allowed()) return;
    var values = forLinks(), pay = (option('payment-hosts') || '').split(/[\s,]+/).concat('buy.stripe.com');
    each('a[href],iframe[src]', function (e) {
      var k = e.href ? 'href' : 'src', url = new URL(e[k], location.href), to;
      if (pay.indexOf(url.hostname) >= 0) to = k === 'href' && add(url, { client_reference_id: state.i });
      // A frame loads anew with each change: once, and not under somebody's hands.
      else if (/\/widget\/(bookings?|form|survey|group)s?\//.test(url.pathname) &&
        (k === 'href' || !e.used && !url.searchParams.has('lead_id'))) to = add(url, values);
      if (to) e[k] = to;
    });
    each('stripe-buy-button,stripe-pricing-table', function (e) {
      if (!e.getAttribute('client-reference-id')) e.setAttribute('client-reference-id', state.i);
    });
    each('form[data-tallyhook]', function (f) {
      if (f.elements.lead_id) return;
      var i = D.createElement('input');
      i.type = 'hidden';
      i.name = 'lead_id';
      f.appendChild(i);
    });
    each('input[type=hidden]', function (i) { if (!i.value && values[i.name]) i.value = values[i.name]; });
  });
  function soon() { timer = timer || setTimeout(decorate, 100); }
  var look = safe(function () { if (allowed()) { send(); decorate(); } });
  function go() {
    if (!allowed()) return;
    touch();
    keep();
    look();
  }
  // Analytics sets its cookies when it is ready, or when it may.
  function watch() {
    var stream = option('ga');
    if (stream && W.gtag) T.forEach(function (k) {
      W.gtag('get', stream, k, function (v) { ga[k] = v; setTimeout(look, 50); });
    });
    [500, 3000].forEach(function (ms) { setTimeout(look, ms); });
  }
  var api = {
    id: function () { return allowed() && state.i || null; },
    consent: safe(function (said) {
      ['analytics', 'ads'].forEach(function (k) { if (typeof said[k] === 'boolean') state.c[k] = said[k]; });
      if (typeof said.email === 'boolean') mail = said.email;
      if (state.i && (mail === false || !allowed())) {
        tell({ lead_id: state.i, consent: Object.assign({ email: mail && undefined }, state.c) });
      }
      if (allowed()) { go(); watch(); }
      else {
        // Of who said no only that is kept.
        state = { i: '', c: state.c };
        keep();
      }
      remember();
    }),
    send: safe(function (more) { say(more || {}, mail); })
  };
  function start() {
    E = option('endpoint') || S && S.src && new URL('/api/leads', S.src).href;
    begin();
    W.tallyhook = api;
    ['localStorage', 'sessionStorage'].forEach(safe(function (s) {
      queue = queue.concat(JSON.parse(W[s].getItem(K)) || []);
    }));
    if (queue.length) flush();
    go();
    function later() {
      decorate();
      watch();
      if (W.MutationObserver) new MutationObserver(soon).observe(D.documentElement,
        { childList: true, subtree: true, attributes: true, attributeFilter: ['href', 'src'] });
    }
    if (D.readyState === 'loading') D.addEventListener('DOMContentLoaded', safe(later)); else later();
    W.addEventListener('blur', safe(function () { D.activeElement.used = 1; }));
    D.addEventListener('submit', safe(function (event) {
      var f = event.target, more = {}, box = mail;
      if (!f.hasAttribute('data-tallyhook')) return;
      Array.prototype.forEach.call(f.elements, function (i) {
        var name = i.getAttribute('data-tallyhook') || { email: 'email', tel: 'phone' }[i.type] || i.name;
        if (name === 'consent_email') box = i.checked;
        else if (/^(email|phone|name|trap)$/.test(name) && i.value) more[name] = i.value;
      });
      say(more, box);
    }), true);
  }
  safe(start)();
})(window, document);
