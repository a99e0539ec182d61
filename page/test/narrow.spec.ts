/** The page on a phone, and as large as people need it: nothing is out of reach, nothing has to be scrolled sideways but tables. */
import test from 'ava';
import { type Page } from 'playwright-core';
import { barriers, everyPath, inBrowser, list, untilLines, untilText } from './support.ts';

const shows = inBrowser(test);

/** What sticks out of the window to the right and is in no part that scrolls by itself. */
const outside = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('body *')]
      .filter((element) => {
        const { right, width, height } = element.getBoundingClientRect();
        if (right <= innerWidth + 1 || width === 0 || height === 0) return false;
        for (let above = element.parentElement; above; above = above.parentElement) {
          const { overflowX } = getComputedStyle(above);
          if (overflowX !== 'visible' && above.getBoundingClientRect().right <= innerWidth + 1) return false;
        }
        return true;
      })
      .map((element) => element.outerHTML.slice(0, 120)),
  );

/** Buttons, links and fields that are too small for a finger: WCAG 2.2 asks for 24 pixels, or for room around. */
const tooSmall = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('header :is(a, button), .bar :is(button, input, select), .tools > *')]
      .map((element) => (element.matches('[type=radio]') ? (element.closest('label') ?? element) : element))
      .filter((element) => {
        const { width, height } = element.getBoundingClientRect();
        return width > 0 && (width < 24 || height < 24) && !element.matches('.skip');
      })
      .map(
        (element) => `${Math.round(element.getBoundingClientRect().height)} high: ${element.outerHTML.slice(0, 120)}`,
      ),
  );

const windows = [
  { what: 'a phone, 360 pixels wide', viewport: { width: 360, height: 640 }, hasTouch: true },
  // A window of 1280 by 720 at 200 % has as many CSS pixels as this one.
  { what: '200 % in a window of 1280 pixels', viewport: { width: 640, height: 360 }, deviceScaleFactor: 2 },
];

for (const { what, ...context } of windows) {
  shows(`every view fits, and keeps nobody out: ${what}`, { context, cuts: true }, async (t, { page, zone, url }) => {
    zone.become('client', 'gone');
    zone.chat(400);
    zone.emit({ message: `a long one ${'x'.repeat(500)}`, worker: 'w'.repeat(128), node: 'n'.repeat(128) });
    for (const path of everyPath) {
      await page.goto(url + path);
      await page.getByRole('status').getByText('live').waitFor();
      if (path.startsWith('/workers/')) await page.locator('canvas').first().waitFor();
      t.deepEqual(await outside(page), [], path);
      t.deepEqual(await tooSmall(page), [], path);
      t.deepEqual(await barriers(page), [], path);
      const { scrolls, room } = await page.evaluate(() => ({
        scrolls: document.documentElement.scrollWidth > innerWidth,
        room: document.querySelector('main')?.clientHeight ?? 0,
      }));
      t.false(scrolls, `${path} scrolls sideways`);
      t.true(room >= 100, `${path}: ${room} pixels are left for the view`);
    }
  });

  shows(`lines are read, found and opened: ${what}`, { context, lines: 300 }, async (t, { page }) => {
    await untilLines(page, 300);
    await page.getByRole('searchbox', { name: 'Text in the line' }).fill('line 29');
    await untilLines(page, 11);
    const row = list(page).locator('.row', { hasText: 'line 299' });
    await row.scrollIntoViewIfNeeded();
    t.true(((await row.locator('.message').boundingBox())?.width ?? 0) >= 100, 'there is room to read a message');
    await row.click();
    await untilText(page.locator('.details pre'), 'line 299');
    t.deepEqual(await outside(page), []);
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('navigation').getByRole('link', { name: 'Zone' }).click();
    await page.getByRole('heading', { level: 1, name: 'Zone demo' }).waitFor();
  });
}
