/*
 * Texts and tables. Whatever hosts call themselves reaches the page as text only. Rows keep their
 * elements from one answer to the next, so that a press of a button never misses, a selection stays and
 * nothing flickers.
 */
import { now } from "./studio.call.js";

export const byId = id => document.getElementById(id);

/* Controls, line separators and direction marks are spelled out: a name must not disguise itself. */
export const visible = text => String(text ?? "").replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu,
	c => `\u2039U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u203a`);
export const count = n => Number(n || 0).toLocaleString("en-US");
export const several = (n, one, many) => `${count(n)} ${n === 1 ? one : many || `${one}s`}`;

export function span(ms) {
	const s = Math.max(0, Math.round(ms / 1000));
	if (s < 120) return `${s} s`;
	if (s < 7200) return `${Math.floor(s / 60)} min`;
	if (s < 172800) return `${Math.floor(s / 3600)} h`;
	return `${Math.floor(s / 86400)} days`;
}

export function remaining(ms) {
	const s = Math.ceil(ms / 1000);
	return s < 120 ? `${s} s` : s < 7200 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}

export const age = ms => now() - ms < 1500 ? "now" : `${span(now() - ms)} ago`;

export function time(ms) {
	const d = new Date(ms), two = n => String(n).padStart(2, "0");
	return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ` +
		`${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/* A time as the Studio writes it, with or without an offset. */
export const stamp = text => Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(text || "") ? text : `${text}Z`);

export function put(element, text) {
	if (element.textContent !== text)
		element.textContent = text;
}

export function putName(element, name) {
	const text = visible(name);
	put(element, text);
	if (element.title !== text)
		element.title = text;
}

export function add(parent, tag, className, text) {
	const element = document.createElement(tag);
	if (className)
		element.className = className;
	if (text)
		element.textContent = text;
	parent.append(element);
	return element;
}

export function button(parent, className, text, label, pressed) {
	const element = add(parent, "button", className, text);
	element.type = "button";
	if (label)
		element.setAttribute("aria-label", label);
	element.addEventListener("click", pressed);
	return element;
}

export function badge(element, kind, text) {
	const className = `badge ${kind}`;
	put(element, text);
	if (element.className !== className)
		element.className = className;
}

/* The children of body become items, in their order; those that stay keep their element. make(element,
 * item) fills a new one and returns what update(parts, item) needs. */
export function fill(body, tag, items, keyOf, make, update) {
	const old = new Map(Array.from(body.children, child => [child.dataset.key, child]));
	items.forEach((item, i) => {
		const key = keyOf(item);
		let child = old.get(key);
		old.delete(key);
		if (!child) {
			child = document.createElement(tag);
			child.dataset.key = key;
			child.parts = make(child, item);
		}
		if (body.children[i] !== child)
			body.insertBefore(child, body.children[i] || null);
		child.item = item;
		update(child.parts, item);
	});
	old.forEach(child => child.remove());
}

/* "21–40 of 20,000" with two buttons; turn(offset) is called for another page. */
export function pager(element, turn) {
	const parts = { offset: 0, size: 0 };
	const go = by => turn(Math.max(0, parts.offset + by * parts.size));

	parts.before = button(element, "quiet", "‹", "Previous page", () => go(-1));
	parts.text = add(element, "span", "sub");
	parts.text.setAttribute("aria-live", "polite");
	parts.after = button(element, "quiet", "›", "Next page", () => go(1));
	return (offset, size, shown, total) => {
		Object.assign(parts, { offset, size });
		element.hidden = total <= size && !offset;
		put(parts.text, shown ? `${count(offset + 1)}–${count(offset + shown)} of ${count(total)}` : `0 of ${count(total)}`);
		parts.before.disabled = offset === 0;
		parts.after.disabled = offset + shown >= total;
	};
}

/* Calls fn once the typing has paused. */
export function whenTyped(input, fn) {
	let timer = 0;
	input.addEventListener("input", () => {
		clearTimeout(timer);
		timer = setTimeout(fn, 200);
	});
}
