// The page at / in Chromium, as people use it: two of them, each with a profile of their own. URL names the server; in
// SHOTS, a folder, it leaves pictures. The checks go on from one another, in order.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { launch } from './browser.mjs';
import { runChecks } from '../Support/checks.mjs';

const { URL: url, SHOTS } = process.env;
const browser = await launch({ trustsAll: url.startsWith('https') });
const complaints = [];
const outside = [];

// A profile of its own, whose page tells what it complains of.
async function person(options = {}, script = null) {
  const context = await browser.newContext({ viewport: { width: 1180, height: 760 }, reducedMotion: 'reduce', locale: 'en-GB', ...options });
  context.setDefaultTimeout(6000);
  if (script) await context.addInitScript(script);
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(String(error.stack)));
  // What the server refuses is logged by the browser too, and is told of in the page.
  page.on('console', (message) => { if (message.type() === 'error' && !/the server responded with a status of 4/.test(message.text())) complaints.push(message.text()); });
  page.on('request', (request) => { if (!request.url().startsWith(url) && !request.url().startsWith('data:')) outside.push(request.url()); });
  return page;
}

async function signUp(page, name, username) {
  await page.goto(url);
  await page.getByRole('button', { name: 'Create an account' }).click();
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('Email or username').fill(username);
  await page.getByLabel('Password').fill('correct horse');
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByRole('heading', { name: `Welcome, ${name}` }).waitFor();
}

async function newChat(page, name, group) {
  await page.getByRole('navigation').getByRole('button', { name: 'New chat' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill(name);
  if (group) await page.getByRole('dialog').getByLabel('Group').selectOption({ label: group });
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { name, level: 1 }).waitFor();
}

const post = (page, path, body) => page.evaluate(([path, body]) => fetch(path, { method: 'POST', body: JSON.stringify(body) }).then((r) => r.json()), [path, body]);

async function say(page, text) {
  await page.getByRole('textbox', { name: 'Message' }).fill(text);
  await page.keyboard.press('Enter');
}

const toTop = (page) => page.getByRole('log').evaluate((log) => {
  log.scrollTop = 0;
  return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
});
const exchanges = (page) => page.getByRole('article');
const reply = (page, prompt) => exchanges(page).filter({ hasText: prompt }).last().locator('.prose');

// Holds back what comes to a page's streams while `isHeld`, to let it in message by message: what the page shows of one
// is then seen before the next, however slow the machine.
async function holdStreams(page) {
  const held = { isHeld: false, messages: [], whenSome: () => {} };
  await page.routeWebSocket(/\/chat\/stream/, (socket) => {
    socket.connectToServer().onMessage((text) => {
      if (!held.isHeld) return socket.send(text);
      held.messages.push({ text, let: () => socket.send(text) });
      held.whenSome();
    });
  });
  return held;
}

// The reply that comes now, word by word as the server sends it.
async function grows(page, held, whole) {
  let text = '';
  for (let words = 0, isPartial = true; isPartial; words++) {
    while (held.messages.length === 0) await new Promise((resolve) => { held.whenSome = resolve; });
    const one = held.messages.shift();
    const { message, partial } = JSON.parse(one.text);
    isPartial = partial;
    text = partial ? text + message.reply : message.reply;
    one.let();
    await page.waitForFunction((text) => [...document.querySelectorAll('.prose')].at(-1)?.textContent === text, text);
    await page.waitForFunction((partial) => [...document.querySelectorAll('article')].at(-1).ariaBusy === String(partial), partial);
    if (!partial) assert.ok(words > whole.split(' ').length, `it came in ${words}`);
  }
  assert.equal(text, whole);
  held.isHeld = false;
}

const shot = async (page, name) => { if (SHOTS) await page.screenshot({ path: join(SHOTS, `page-${name}.png`), animations: 'disabled' }); };
// The widest that anything is which does not scroll on purpose.
const width = (page) => page.evaluate(() => Math.max(...[document.documentElement, document.body, ...document.querySelectorAll('main, section, .column, form')].map((one) => one.scrollWidth)));

const ann = await person();
const ben = await person();
const [annsStreams, bensStreams] = [await holdStreams(ann), await holdStreams(ben)];
let chat;

const checks = {
  async log_in_comes_first() {
    await ann.goto(url);
    await ann.getByRole('heading', { name: 'Log in' }).waitFor();
    await ann.getByLabel('Email or username').fill('nobody');
    await ann.getByLabel('Password').fill('x');
    await ann.keyboard.press('Enter');
    assert.equal(await ann.getByRole('alert').textContent(), 'Wrong username or password.');
  },

  async signs_up() {
    await signUp(ben, 'Ben', 'ben@example.com');
    await ann.getByRole('button', { name: 'Create an account' }).click();
    await ann.getByLabel('Your name').fill('Ann');
    await ann.getByLabel('Email or username').fill('ben@example.com');
    await ann.getByLabel('Password').fill('correct horse');
    await ann.keyboard.press('Enter');
    await ann.getByText('The username is taken.').waitFor();
    const username = ann.getByLabel('Email or username');
    assert.equal(await username.getAttribute('aria-invalid'), 'true');
    assert.ok(await username.evaluate((input) => input === document.activeElement));
    await username.fill('ann@example.com');
    await ann.keyboard.press('Enter');
    await ann.getByRole('heading', { name: 'Welcome, Ann' }).waitFor();
    const cookie = (await ann.context().cookies()).find((one) => one.name === 'sess');
    assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, 'Lax']);
  },

  async groups() {
    await ann.getByRole('link', { name: 'Groups' }).click();
    await ann.getByRole('button', { name: 'New group' }).click();
    await ann.getByRole('dialog').getByLabel('Name').fill('Garden');
    await ann.getByRole('dialog').getByLabel('Description').fill('Who waters what');
    await ann.keyboard.press('Enter');
    await ann.getByRole('heading', { name: 'Garden' }).waitFor();
    await ann.getByLabel('Add a member by username').fill('nobody');
    await ann.keyboard.press('Enter');
    await ann.getByText('No such user.').waitFor();
    await ann.getByLabel('Add a member by username').fill('ben@example.com');
    await ann.keyboard.press('Enter');
    await ann.getByRole('listitem').filter({ hasText: 'ben@example.com' }).waitFor();
    await ann.getByRole('button', { name: 'Remove Ben' }).click();
    await ann.getByRole('listitem').filter({ hasText: 'ben@example.com' }).waitFor({ state: 'detached' });
    await ann.getByLabel('Add a member by username').fill('ben@example.com');
    await ann.keyboard.press('Enter');
    await ann.getByRole('listitem').filter({ hasText: 'ben@example.com' }).waitFor();
  },

  async words_come_one_by_one() {
    await newChat(ann, 'Watering', 'Garden');
    chat = ann.url().split('/').pop();
    annsStreams.isHeld = true;
    await say(ann, 'How often does a young apple tree want water in a dry summer?');
    await grows(ann, annsStreams, 'Reply to 1 message: How often does a young apple tree want water in a dry summer?');
    assert.equal(await ann.getByRole('textbox', { name: 'Message' }).inputValue(), '');
  },

  async reload_keeps_the_history() {
    await ann.reload();
    await reply(ann, 'young apple tree').getByText('in a dry summer?').waitFor();
    assert.equal(await exchanges(ann).count(), 1);
  },

  async a_member_sees_it_live() {
    await ann.getByRole('button', { name: 'Chat settings and people' }).click();
    const box = ann.getByRole('dialog');
    await box.getByLabel('Add someone by username').fill('ben@example.com');
    await box.getByRole('button', { name: 'Add' }).click();
    await box.getByRole('listitem').filter({ hasText: 'ben@example.com' }).waitFor();
    await ann.keyboard.press('Escape');
    await box.waitFor({ state: 'detached' });

    await ben.reload();
    await ben.getByRole('link', { name: /Watering/ }).click();
    await reply(ben, 'young apple tree').waitFor();
    bensStreams.isHeld = true;
    await say(ann, 'And an old one, with roots that go deep?');
    const whole = 'Reply to 3 messages: And an old one, with roots that go deep?';
    await grows(ben, bensStreams, whole);
    await reply(ann, 'And an old one').getByText(whole).waitFor();
    assert.match(await exchanges(ben).last().textContent(), /^AAnn/);
    assert.equal(await exchanges(ben).count(), 2);
  },

  async members_come_and_go_before_ones_eyes() {
    const kim = await person();
    await signUp(kim, 'Kim', 'kim@example.com');
    const { user } = await post(ben, '/user/find', { username: 'kim@example.com' });
    // Ben again, on a clock that need not be waited for.
    const page = await ben.context().newPage();
    await page.clock.install();
    await page.goto(`${url}/#/chats/${chat}`);
    await page.getByText('gpt-3 · you, Ann', { exact: true }).waitFor();
    await post(ann, '/chat/user/add', { chat_id: chat, user_id: user.id });
    await page.clock.fastForward(20_000);
    await page.getByText('gpt-3 · you, Ann, Kim', { exact: true }).waitFor();
    await post(ann, '/chat/user/remove', { chat_id: chat, user_id: user.id });
    await page.clock.fastForward(20_000);
    await page.getByText('gpt-3 · you, Ann', { exact: true }).waitFor();
    await page.close();
    await kim.context().close();
  },

  async off_the_record() {
    await ben.getByRole('switch', { name: 'Off the record' }).check({ force: true });
    await say(ben, 'I will be away in July.');
    const said = exchanges(ann).filter({ hasText: 'away in July' });
    await said.getByText('Off the record').waitFor();
    assert.equal(await said.locator('.reply').count(), 0);
    await ben.getByRole('switch', { name: 'Off the record' }).uncheck({ force: true });
    await say(ben, 'Does mulch help?');
    // Two exchanges and the prompt: the model was not told.
    await reply(ben, 'mulch').getByText('Reply to 5 messages: Does mulch help?').waitFor();
  },

  async saved_prompts() {
    const box = ann.getByRole('dialog');
    await ann.getByRole('textbox', { name: 'Message' }).fill('Say {{input}} in Latin');
    await ann.getByRole('button', { name: 'Saved prompts' }).click();
    await box.getByText('None yet.').waitFor();
    await box.getByRole('button', { name: 'Keep' }).click();
    await box.getByText('Name is missing.').waitFor();
    await box.getByLabel('Name').fill('Latin');
    await box.getByLabel('For').selectOption({ label: 'Garden' });
    await box.getByRole('button', { name: 'Keep' }).click();
    await box.getByRole('button', { name: /^Latin/ }).waitFor();
    await ann.keyboard.press('Escape');
    await box.waitFor({ state: 'detached' });
    await ann.getByRole('textbox', { name: 'Message' }).fill('');

    const message = ben.getByRole('textbox', { name: 'Message' });
    await message.fill('a pear');
    await ben.getByRole('button', { name: 'Saved prompts' }).click();
    await ben.getByRole('dialog').getByRole('button', { name: /^Latin/ }).click();
    assert.equal(await message.inputValue(), 'Say a pear in Latin');
    await message.press('Enter');
    await reply(ann, 'a pear in Latin').getByText('Reply to 7 messages: Say a pear in Latin').waitFor();
  },

  async markup_is_text() {
    const list = 'Plan:\n\n1. **Soak** the `roots`\n2. Mulch <img src=x onerror=alert(1)>\n\n```sh\nwater --all <b>now</b>\n```\n\nSee [the guide](https://example.com/trees) or [this](javascript:alert(1)).';
    await say(ann, list);
    const prose = reply(ann, 'water --all');
    await prose.getByText('See the guide').waitFor();
    assert.equal(await prose.locator('ol > li').count(), 2);
    assert.equal(await prose.locator('strong').textContent(), 'Soak');
    assert.equal(await prose.locator('pre code').textContent(), 'water --all <b>now</b>');
    assert.deepEqual(await prose.locator('a').evaluateAll((links) => links.map((link) => link.href)), ['https://example.com/trees']);
    assert.equal(await ann.locator('img, iframe, b b').count(), 0);
  },

  async comes_back_after_a_loss() {
    const page = await ann.context().newPage();
    const sockets = [];
    let isCut = false;
    await page.routeWebSocket(/\/chat\/stream/, (socket) => {
      if (isCut) return void socket.close({ code: 1011 });
      socket.connectToServer();
      sockets.push(socket);
    });
    await page.goto(`${url}/#/chats/${chat}`);
    await reply(page, 'mulch').waitFor();
    const before = await exchanges(page).count();
    isCut = true;
    for (const socket of sockets) socket.close({ code: 1011 });
    await page.getByText('The connection was lost').waitFor();
    await say(ben, 'Said while nobody listened');
    await reply(ben, 'nobody listened').getByText('Reply to').waitFor();
    isCut = false;
    await reply(page, 'nobody listened').getByText('Reply to').waitFor();
    await page.getByText('The connection was lost').waitFor({ state: 'hidden' });
    await say(ben, 'Said when it was back');
    await reply(page, 'it was back').getByText('Reply to').waitFor();
    assert.equal(await exchanges(page).count(), before + 2);
    await page.close();
  },

  async without_websockets() {
    const page = await person({}, 'delete window.WebSocket');
    await page.context().addCookies(await ann.context().cookies());
    await page.goto(`${url}/#/chats/${chat}`);
    await reply(page, 'mulch').waitFor();
    await say(page, 'Over server-sent events');
    await reply(page, 'Over server-sent events').getByText(/^Reply to \d+ messages: Over server-sent events$/).waitFor();
    await page.context().close();
  },

  async usage() {
    await post(ann, '/chat/prompt', { id: chat, prompt: 'counted' });
    await ann.evaluate(() => fetch('/v1/nothing'));
    // Rows are stored in the background.
    for (let paths = []; !['/v1/nothing', '/chat/prompt'].every((path) => paths.includes(path));) paths = (await post(ann, '/event/index')).events.map((row) => row.Endpoint);
    await ann.getByRole('link', { name: 'Usage' }).click();
    await ann.getByRole('row').filter({ hasText: '/v1/nothing' }).getByText('404').waitFor();
    await ann.getByRole('region', { name: 'Tokens by model' }).getByText('gpt-3.5-turbo').waitFor();
    await shot(ann, 'usage');
  },

  async a_long_chat_stays_small() {
    await newChat(ann, 'Long');
    const id = ann.url().split('/').pop();
    await ann.evaluate(async (id) => {
      for (let i = 0; i < 150; i++) await fetch('/chat/prompt', { method: 'POST', body: JSON.stringify({ id, prompt: `Note ${i}`, otr: true }) });
    }, id);
    await ann.reload();
    await ann.getByText('Note 149').waitFor();
    assert.equal(await exchanges(ann).count(), 40);
    await ann.getByRole('log').evaluate((log) => { log.scrollTop = 0; });
    await ann.getByText('Note 109', { exact: true }).waitFor();
    while (await exchanges(ann).count() < 150) {
      await ann.getByRole('log').evaluate((log) => { log.scrollTop = 0; });
      await ann.waitForTimeout(20);
    }
    assert.deepEqual(await exchanges(ann).locator('.bubble').allTextContents(), Array.from({ length: 150 }, (_, i) => `Note ${i}`));
    await ann.getByRole('button', { name: 'Chat settings and people' }).click();
    await ann.getByRole('button', { name: 'Delete chat' }).click();
    await ann.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await ann.getByRole('heading', { name: 'Choose a chat' }).waitFor();
    assert.equal(await ann.getByRole('link', { name: /^Long/ }).count(), 0);
  },

  async renames_and_removes() {
    await ann.getByRole('link', { name: /Watering/ }).click();
    await ann.getByRole('button', { name: 'Chat settings and people' }).click();
    await ann.getByRole('dialog').getByLabel('Name', { exact: true }).fill('Orchard');
    await ann.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
    await ann.getByRole('heading', { name: 'Orchard', level: 1 }).waitFor();
    for (const name of ['Recipes for a glut of plums', 'Compost', 'Letter to the council']) await post(ann, '/chat/create', { name });
    await ann.reload();
    await reply(ann, 'young apple tree').waitFor();
    await toTop(ann);
    await shot(ann, 'light');
    await ann.getByRole('button', { name: 'Chat settings and people' }).click();
    await ann.getByRole('button', { name: 'Remove Ben' }).click();
    // Ben's stream ends at once, and he is told.
    await ben.getByRole('heading', { name: 'This chat is not here' }).waitFor();
    await ann.keyboard.press('Escape');
  },

  async dark() {
    await ann.emulateMedia({ colorScheme: 'dark' });
    const [paper, ink] = await ann.evaluate(() => {
      const { backgroundColor, color } = getComputedStyle(document.body);
      return [backgroundColor, color].map((text) => text.match(/\d+/g).slice(0, 3).reduce((sum, c) => sum + Number(c), 0));
    });
    assert.ok(paper < 120 && ink > 600, `${paper} ${ink}`);
    await toTop(ann);
    await shot(ann, 'dark');
    await ann.emulateMedia({ colorScheme: 'light' });
  },

  async contrast() {
    for (const colorScheme of ['light', 'dark']) {
      await ann.emulateMedia({ colorScheme });
      const poor = await ann.evaluate(() => {
        const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
        const rgb = (color, under) => {
          canvas.fillStyle = `rgb(${under})`;
          canvas.fillRect(0, 0, 1, 1);
          canvas.fillStyle = color;
          canvas.fillRect(0, 0, 1, 1);
          return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
        };
        const luminance = (c) => c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const behind = (element) => (element ? rgb(getComputedStyle(element).backgroundColor, behind(element.parentElement)) : [255, 255, 255]);
        const found = [];
        for (const element of document.querySelectorAll('body *')) {
          if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) || !element.checkVisibility({ contentVisibilityAuto: true }) || element.closest('.unseen, :disabled')) continue;
          const under = behind(element);
          const [a, b] = [luminance(rgb(getComputedStyle(element).color, under)), luminance(under)].sort((x, y) => y - x);
          const ratio = (a + 0.05) / (b + 0.05);
          if (ratio < 4.5) found.push(`${element.className || element.tagName} ${element.textContent.slice(0, 20)} ${ratio.toFixed(2)}`);
        }
        return found;
      });
      assert.deepEqual(poor, [], colorScheme);
    }
    await ann.emulateMedia({ colorScheme: 'light' });
  },

  async everything_has_a_name() {
    for (const place of [`#/chats/${chat}`, '#/groups', '#/usage', '#/account']) {
      await ann.goto(`${url}/${place}`);
      await ann.getByRole('heading', { level: 1 }).first().waitFor();
      const nameless = await ann.evaluate(() => [...document.querySelectorAll('button, a, input:not([hidden]), select, textarea')]
        .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length)).map((one) => one.outerHTML));
      assert.deepEqual(nameless, [], place);
      const counts = await ann.evaluate(() => ['main', 'nav', 'h1', '[role=status]'].map((selector) => document.querySelectorAll(selector).length));
      assert.deepEqual(counts.slice(0, 3), [1, 1, 1], place);
      assert.ok(counts[3] >= 1);
    }
  },

  async fits_a_phone() {
    const page = await person({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
    await page.goto(url);
    assert.ok(await width(page) <= 360);
    await page.context().addCookies(await ann.context().cookies());
    await page.reload();
    await page.getByRole('link', { name: /Orchard/ }).waitFor();
    assert.ok(await width(page) <= 360);
    await page.getByRole('link', { name: /Orchard/ }).tap();
    await reply(page, 'water --all').waitFor();
    assert.ok(await width(page) <= 360, 'chat');
    await toTop(page);
    await shot(page, 'phone');
    await page.getByRole('button', { name: 'Chat settings and people' }).tap();
    const box = await page.getByRole('dialog').boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 360);
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).tap();
    await page.getByRole('button', { name: 'All chats' }).tap();
    for (const place of ['Groups', 'Usage']) {
      await page.getByRole('link', { name: place }).tap();
      await page.getByRole('heading', { name: place }).waitFor();
      await page.waitForLoadState('networkidle');
      assert.ok(await width(page) <= 360, place);
      await page.getByRole('button', { name: 'Menu' }).tap();
    }
    await page.goto(`${url}/#/account`);
    await page.getByRole('heading', { name: 'Account' }).waitFor();
    assert.ok(await width(page) <= 360, 'account');
    await page.context().close();
  },

  async by_keyboard_alone() {
    const page = await person();
    const key = (...keys) => keys.reduce((done, one) => done.then(() => page.keyboard.press(one)), Promise.resolve());
    const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? (document.activeElement.textContent.trim() || document.activeElement.name));
    const tabTo = async (name) => {
      for (let i = 0; i < 40; i++) {
        if ((await focused()) === name) return;
        await key('Tab');
      }
      assert.fail(`no way to ${name}: at ${await focused()}`);
    };
    await page.goto(url);
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await tabTo('Create an account');
    await key('Enter');
    await page.keyboard.type('Kim');
    await key('Tab');
    await page.keyboard.type('kim');
    await key('Tab');
    await page.keyboard.type('correct horse');
    await key('Enter');
    await page.getByRole('heading', { name: 'Welcome, Kim' }).waitFor();
    await tabTo('Skip to the content');
    await tabTo('New chat');
    await key('Enter');
    await page.getByRole('dialog').waitFor();
    await key('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    assert.equal(await focused(), 'New chat', 'focus comes back');
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none');
    await key('Enter');
    await page.keyboard.type('Keys');
    await key('Enter');
    await page.getByRole('heading', { name: 'Keys', level: 1 }).waitFor();
    await page.waitForFunction(() => document.activeElement.name === 'prompt');
    await page.keyboard.type('One line');
    await key('Shift+Enter');
    await page.keyboard.type('and another');
    await key('Enter');
    await reply(page, 'and another').getByText('Reply to 1 message: One line').waitFor();
    await page.getByRole('status').filter({ hasText: 'and another' }).waitFor({ state: 'attached' });
    await tabTo('Off the record').catch(() => key('Tab'));
    await tabTo('Log out');
    await key('Enter');
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await page.context().close();
  },

  async logs_out() {
    await ann.goto(`${url}/#/chats/${chat}`);
    const other = await ann.context().newPage();
    await other.goto(`${url}/#/chats/${chat}`);
    await reply(other, 'mulch').waitFor();
    await ann.getByRole('button', { name: 'Log out' }).click();
    await ann.getByRole('heading', { name: 'Log in' }).waitFor();
    // Another window's stream ends with the session.
    await other.getByRole('heading', { name: 'Log in' }).waitFor();
    await ann.reload();
    await ann.getByRole('heading', { name: 'Log in' }).waitFor();
    assert.equal((await ann.context().cookies()).some((cookie) => cookie.name === 'sess'), false);
    assert.equal(await ann.getByText('Orchard').count(), 0);
    await ann.getByLabel('Email or username').fill('ann@example.com');
    await ann.getByLabel('Password').fill('correct horse');
    await ann.keyboard.press('Enter');
    await ann.getByRole('link', { name: /Orchard/ }).waitFor();
  },

  async nothing_from_elsewhere() {
    assert.deepEqual(outside, []);
  },

  async no_complaint() {
    // The test itself cut the WebSockets.
    assert.deepEqual(complaints.filter((text) => !/WebSocket connection|ERR_INTERNET/.test(text)), []);
  },
};

await runChecks(checks, () => browser.close());
