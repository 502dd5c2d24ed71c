/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flame graph page. Reads the profile from the data element, draws it with d3-flame-graph and adds
 * totals, accounting and tables. Names in the profile are hostile: they reach the page only through
 * textContent and never as markup, attribute or selector. No walk over the tree recurses.
 */
'use strict';

const profile = JSON.parse(document.getElementById('profile').textContent);
const summary = profile.summary;
const dark = matchMedia('(prefers-color-scheme: dark)');
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const kinds = {
	n: { label: 'user', hue: 145, spread: 50 },
	k: { label: 'kernel', hue: 28, spread: 16 },
	u: { label: 'unknown', hue: 220, spread: 0, grey: true },
	i: { label: 'incomplete', hue: 350, spread: 0 },
	t: { label: 'thread', hue: 236, spread: 0 },
	c: { label: 'container', hue: 262, spread: 0 },
	r: { label: 'all', hue: 222, spread: 0, grey: true },
};

const byId = (id) => document.getElementById(id);
const count = (n) => n.toLocaleString('en-US');
const percent = (part, all) => (all ? (100 * part / all).toFixed(part / all < 0.1 ? 2 : 1) + '\u202f%' : '–');

function element(tag, className, ...content) {
	const e = document.createElement(tag);
	if (className)
		e.className = className;
	e.append(...content);
	return e;
}

/* ---- the tree ---- */

/* profile.nodes is flat and in preorder: name, number of children, value. */
function makeTree() {
	const flat = profile.nodes;
	const root = { name: flat[0], value: flat[2], left: flat[1], children: [] };
	const open = [root];

	for (let i = 3; i < flat.length; i += 3) {
		while (open[open.length - 1].left === 0)
			open.pop();
		const parent = open[open.length - 1];
		const node = { name: flat[i], value: flat[i + 2], left: flat[i + 1], children: [] };
		parent.left--;
		parent.children.push(node);
		open.push(node);
	}
	return root;
}

function forEachNode(root, visit) {
	const todo = [root];
	while (todo.length) {
		const node = todo.pop();
		visit(node);
		for (const child of node.children || [])
			todo.push(child);
	}
}

const nameOf = (data) => profile.names[data.name][0];
const kindOf = (data) => profile.names[data.name][1];
const moduleOf = (data) => profile.modules[profile.names[data.name][2]];
const selfOf = (data) => data.children.reduce((left, child) => left - child.value, data.value);

/* Self and total per name. total counts a recursive function once per sample: its outermost call only. */
function sumByName(root) {
	const rows = new Map();
	const onPath = new Map();
	const todo = [{ node: root, leave: false }];

	while (todo.length) {
		const { node, leave } = todo.pop();
		const depth = onPath.get(node.name) || 0;
		if (leave) {
			onPath.set(node.name, depth - 1);
			continue;
		}
		const row = rows.get(node.name) || { node, self: 0, total: 0 };
		rows.set(node.name, row);
		row.self += selfOf(node);
		if (depth === 0)
			row.total += node.value;
		onPath.set(node.name, depth + 1);
		todo.push({ node, leave: true });
		for (const child of node.children)
			todo.push({ node: child, leave: false });
	}
	return [...rows.values()];
}

/* ---- colours ---- */

function hash(text) {
	let h = 2166136261;
	for (let i = 0; i < text.length; i++)
		h = Math.imul(h ^ text.charCodeAt(i), 16777619);
	h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
	return ((h ^ (h >>> 12)) >>> 8) / 0x1000000;
}

/* Frames of one file share a hue; a function keeps its shade everywhere. */
function colourOf(kind, module, name) {
	const { hue, spread, grey } = kinds[kind];
	const h = hue + spread * hash(module);
	const shade = 7 * hash(name);
	const saturation = grey ? 4 : dark.matches ? 34 : 58;
	return `hsl(${h.toFixed(0)} ${saturation}% ${(dark.matches ? 29 + shade : 73 + shade).toFixed(1)}%)`;
}

function fill(node) {
	if (node.highlight)
		return dark.matches ? '#b0297f' : '#ff8ed4';
	return colourOf(kindOf(node.data), moduleOf(node.data), nameOf(node.data));
}

/* ---- above the graph ---- */

function showHeader() {
	const run = profile.run;
	const host = run.host || 'this host';

	document.title = `${host}, ${run.start} – pulseprof flame graph`;
	byId('host').textContent = host;
	byId('run').textContent = [
		`${run.start.replace('T', ' ')} UTC`, `${summary.duration_s.toFixed(1)} s`,
		summary.period ? `${summary.clock}, a sample each ${count(summary.period)}` : `${count(summary.rate_hz)} Hz`,
		summary.period ? '' : summary.clock, `${count(run.cpus)} CPU${run.cpus === 1 ? '' : 's'}`,
	].filter(Boolean).join('  ·  ');
}

function lostCount() {
	return Object.values(summary.lost).reduce((a, b) => a + b, 0);
}

function showTiles() {
	const complete = summary.user_stacks_complete_pct;
	const jit = 100 * summary.user_stacks_jit / (summary.user_stacks || 1);
	const lost = lostCount();
	const tile = (value, label, className) =>
		element('div', `tile ${className || ''}`, element('b', '', value), element('span', '', label));

	const missedBusy = summary.missed - summary.missed_idle;
	byId('tiles').append(
		tile(count(summary.samples), 'samples'),
		tile(count(summary.processes), 'processes'),
		tile(count(summary.stacks), 'distinct stacks'),
		tile(complete === null ? '–' : `${complete.toFixed(1)}\u202f%`, 'user stacks complete',
			complete === null ? '' : complete + jit >= 95 ? 'good' : 'warn'),
		...(summary.user_stacks_jit ? [tile(`${jit.toFixed(1)}\u202f%`, 'through JIT code')] : []),
		tile(percent(missedBusy, summary.expected), 'missed by the kernel', missedBusy > summary.expected / 200 ? 'warn' : 'good'),
		tile(count(lost), 'lost', lost ? 'bad' : 'good'));
}

function showAlerts() {
	const alert = (text) => byId('alerts').append(element('p', '', text));
	const lost = lostCount();

	if (!summary.samples)
		alert('No sample was accepted: nothing that was asked for ran on a CPU in this time.');
	if (lost)
		alert(`${count(lost)} of ${count(summary.taken)} samples were lost; the shares below are of those that were kept.`);
	if (profile.run.interrupted)
		alert('The run was stopped before its planned end.');
	if (profile.hidden.nodes)
		alert(`${count(profile.hidden.nodes)} frames with fewer than ${count(profile.hidden.below)} samples are left out ` +
			'of this page; their samples are counted in their callers. The collapsed format has them all.');
}

function showLegend(root) {
	const present = new Set();
	forEachNode(root, (node) => present.add(kindOf(node)));
	byId('legend').replaceChildren();
	for (const kind of ['n', 'k', 'u', 'i', 't', 'c']) {
		if (!present.has(kind))
			continue;
		const dot = element('i', 'dot');
		dot.style.background = colourOf(kind, '', '');
		byId('legend').append(element('li', '', dot, kinds[kind].label));
	}
}

/* ---- the graph ---- */

const data = makeTree();
const chartElement = byId('chart');
let root = null; /* d3's node of `data` */
let zoomed = null;
let current = null; /* of the keyboard */

/* d3-flame-graph wants a d3 selection; these two calls are all that it makes of it. */
const selection = {
	datum(value) {
		chartElement.__data__ = typeof value === 'function' ? value(chartElement.__data__) : value;
		return this;
	},
	each(visit) {
		visit.call(chartElement, chartElement.__data__);
		return this;
	},
};

const noTooltip = () => {};
noTooltip.show = noTooltip.hide = () => {};

/* A browser stays quick with this many boxes; where there are more, the narrowest wait for a zoom. */
const DRAWN_MAX = 12000;

function leastWidth() {
	const values = [];
	forEachNode(data, (node) => values.push(node.value));
	values.sort((a, b) => b - a);
	return Math.max(0.5, (values[DRAWN_MAX] || 0) / (data.value || 1) * chartElement.clientWidth);
}

const chart = flamegraph()
	.width(chartElement.clientWidth)
	.cellHeight(20)
	.minFrameSize(leastWidth())
	.transitionDuration(0)
	.inverted(true)
	.resetHeightOnZoom(true)
	.tooltip(noTooltip)
	.getName((node) => nameOf(node.data))
	.setColorMapper(fill)
	.setDetailsHandler(() => {})
	.setLabelHandler(() => '')
	.onHover((node) => showDetails(node))
	.onClick((node) => noteZoom(node));

function showDetails(node) {
	const part = node.data;
	const view = zoomed ? zoomed.data.value : data.value;
	const facts = [
		`${count(part.value)} samples`, `${percent(part.value, data.value)} of all`,
		zoomed && part.value <= view ? `${percent(part.value, view)} of this view` : '',
		`${count(selfOf(part))} itself`, kinds[kindOf(part)].label, moduleOf(part),
	];
	byId('details').replaceChildren(element('b', '', nameOf(part)),
		element('span', '', facts.filter(Boolean).join('  ·  ')));
	byId('details').hidden = false;
}

function noteZoom(node) {
	zoomed = node === root ? null : node;
	byId('reset').disabled = !zoomed;
	mark(node);
}

function zoomTo(node) {
	if (node)
		chart.zoomTo(node);
}

/* The frame that the keyboard stands on. */
function mark(node) {
	current = node;
	for (const g of chartElement.querySelectorAll('g.frame')) {
		if (g.__data__ === node)
			g.setAttribute('data-current', '');
		else
			g.removeAttribute('data-current');
	}
}

function walk(node, key) {
	const siblings = node.parent ? node.parent.children.filter((n) => n.x1 > n.x0) : [node];
	const at = siblings.indexOf(node);
	const deeper = chart.inverted() ? 'ArrowDown' : 'ArrowUp';

	if (key === 'ArrowLeft')
		return siblings[at - 1];
	if (key === 'ArrowRight')
		return siblings[at + 1];
	if (key !== deeper)
		return node.parent;
	return (node.children || []).reduce((a, b) => (a && a.data.value >= b.data.value ? a : b), null);
}

/* ---- search ---- */

function makeMatcher(term) {
	if (term.length > 2 && term.startsWith('/') && term.endsWith('/')) {
		const expression = new RegExp(term.slice(1, -1), 'i');
		return (name) => expression.test(name);
	}
	const wanted = term.toLowerCase();
	return (name) => name.toLowerCase().includes(wanted);
}

/* Samples are counted once, at the outermost match of each stack. */
function search(term) {
	const matched = byId('matched');
	let matches = () => false;
	let samples = 0, frames = 0;

	try {
		if (term)
			matches = makeMatcher(term);
	} catch (error) {
		matched.className = '';
		matched.textContent = 'not a regular expression';
		return;
	}
	const hits = profile.names.map(([name]) => matches(name));
	forEachNode(root, (node) => {
		const inside = node.parent ? node.parent.insideMatch : false;
		node.highlight = hits[node.data.name] && node !== root;
		node.insideMatch = inside || node.highlight;
		frames += node.highlight;
		if (node.highlight && !inside)
			samples += node.data.value;
	});
	matched.className = frames ? 'found' : '';
	matched.textContent = !term ? '' : !frames ? 'no match' :
		`matched ${percent(samples, data.value)}, ${count(samples)} samples in ${count(frames)} frames`;
	chart.update();
}

function searchFor(text) {
	byId('search').value = text;
	search(text);
	byId('flame').scrollIntoView({ block: 'nearest', behavior: calm.matches ? 'auto' : 'smooth' });
}

/* ---- below the graph ---- */

function table(titles, rows) {
	const head = element('tr', '', ...titles.map((title) => element('th', '', title)));
	const body = rows.map((cells) => element('tr', '', ...cells.map((cell) =>
		(cell instanceof HTMLElement && cell.tagName === 'TD' ? cell : element('td', '', cell)))));
	head.querySelectorAll('th').forEach((th) => th.setAttribute('scope', 'col'));
	return element('table', '', element('thead', '', head), element('tbody', '', ...body));
}

function panel(title, ...content) {
	byId('panels').append(element('div', 'panel', element('h2', '', title), ...content));
}

function showFunctions() {
	const functions = sumByName(data)
		.filter((row) => 'nku'.includes(kindOf(row.node)) && row.self > 0)
		.sort((a, b) => b.self - a.self || (nameOf(a.node) < nameOf(b.node) ? -1 : 1))
		.slice(0, 15);
	const rows = functions.map(({ node, self, total }) => {
		const dot = element('i', 'dot');
		const button = element('button', '', nameOf(node));
		dot.style.background = colourOf(kindOf(node), moduleOf(node), nameOf(node));
		button.type = 'button';
		button.addEventListener('click', () => searchFor(nameOf(node)));
		return [element('td', '', element('div', 'function', dot, button)), percent(self, data.value), count(self), percent(total, data.value)];
	});
	if (rows.length)
		panel('Hottest functions', table(['function', 'itself', 'samples', 'with callees'], rows));
}

function showProcesses() {
	const shown = profile.processes.slice(0, 15);
	const rows = shown.map(([pid, name, container, weight]) =>
		[container ? `${name} in ${container}` : name, String(pid), percent(weight, data.value), count(weight)]);
	if (!rows.length)
		return;
	const more = summary.processes - rows.length;
	panel('Processes', table(['process', 'pid', 'share', 'samples'], rows),
		more > 0 ? element('p', 'note', `and ${count(more)} more`) : '');
}

function showAccount() {
	const sum = (label, n) => [element('td', 'sum', label), element('td', 'sum', count(n)), percent(n, summary.expected)];
	const parts = (reasons) => Object.entries(reasons).filter(([, n]) => n).map(([name, n]) =>
		[element('td', 'part', name.replaceAll('_', ' ')), element('td', 'part', count(n)), percent(n, summary.expected)]);

	panel('Where the samples went', table(['', 'samples', 'of expected'], [
		sum('expected', summary.expected), sum('missed by the kernel', summary.missed), ...parts({ 'while idle': summary.missed_idle }),
		sum('taken', summary.taken), sum('filtered', summary.filtered), ...parts(summary.filtered_by),
		sum('lost', lostCount()), ...parts(summary.lost), sum('accepted', summary.samples),
	]), element('p', 'note', 'expected = missed + taken; taken = filtered + lost + accepted'));
}

function showEnds() {
	const ends = Object.entries(summary.user_stack_ends).filter(([name, n]) => n && name !== 'no_user_stack');
	const none = summary.user_stack_ends.no_user_stack;
	const meter = element('div', 'meter');
	const good = element('i', '');

	good.style.width = `${summary.user_stacks_complete_pct || 0}%`;
	meter.append(good);
	if (!ends.length && !none)
		return;
	panel('How user stacks ended', meter, table(['', 'samples', 'share'], [
		...ends.map(([name, n]) => [name.replaceAll('_', ' '), count(n), percent(n, summary.user_stacks)]),
	]), element('p', 'note', 'Complete: the outermost frame is where programs or threads start. ' +
		'The others stand below a marked frame in the graph, but for JIT code: there the frame pointer was ' +
		'followed down to the bottom.'),
	none ? element('p', 'note', `${count(none)} samples had no user part (kernel threads).`) : '');
}

const UNNAMED = {
	stripped: 'its file was stripped, and no debug file belongs to it: install its debug symbols',
	no_symbol: 'its file has symbols, but none for that code',
	file_gone: 'its file could not be opened any more, or is another by now',
	unreadable: 'its file could not be read: damaged, refused, or too slow',
	not_mapped: 'nothing is known to have been mapped there',
	jit_without_map: 'code made at run time by a process that writes no perf map',
	jit_not_in_map: 'code made at run time that is not in its process\u2019s list',
	jit_map_refused: 'a perf map of another user, or from before the process',
	kernel_hidden: 'the kernel hides its addresses (kptr_restrict)',
	kernel_unknown: 'kernel code that kallsyms does not list',
};

function showNames() {
	const unnamed = Object.entries(summary.frames_unnamed).filter(([, n]) => n);

	if (!unnamed.length)
		return;
	panel('Frames without a name', table(['', 'frames', 'share'], unnamed.map(([name, n]) =>
		[UNNAMED[name] || name.replaceAll('_', ' '), count(n), percent(n, summary.frames)])),
	element('p', 'note', `${summary.frames_named_pct.toFixed(1)} % of the frames of all samples have a name.`));
}

function showTables(tables) {
	if (!tables)
		return [];
	return [
		['unwind tables', `${count(tables.pages)} pages of ${count(tables.files)} files, ${count(tables.rows)} rows`],
		['their memory in the kernel', `${(tables.kernel_bytes / 1048576).toFixed(1)} MiB`],
		['made in this run', `${count(tables.pages_converted)} pages in ${(tables.convert_us / 1000).toFixed(1)} ms CPU, ` +
			`${count(tables.pages_from_cache)} from the cache`],
	];
}

function showCost() {
	const ns = summary.kernel_ns_per_sample;
	panel('What this profile cost', table(['', ''], [
		['kernel, per sample', ns === null ? 'not measured' : `${count(ns)} ns`],
		['kernel, all samples', ns === null ? 'not measured' : `${(ns * summary.taken / 1e6).toFixed(1)} ms CPU`],
		['profiler itself', `${summary.user_cpu_ms.toFixed(1)} ms CPU`],
		['peak memory', `${(summary.rss_peak_bytes / 1048576).toFixed(1)} MiB`],
		...showTables(summary.unwind_tables),
	]));
}

/* ---- keys and wiring ---- */

function onChartKey(event) {
	if (event.key === 'Enter' && current) {
		zoomTo(current);
	} else if (event.key.startsWith('Arrow')) {
		const next = current ? walk(current, event.key) : root;
		if (!next)
			return;
		mark(next);
		showDetails(next);
	} else {
		return;
	}
	event.preventDefault();
}

function flip() {
	chart.inverted(!chart.inverted());
	byId('flip').setAttribute('aria-pressed', String(!chart.inverted()));
	chartElement.classList.toggle('upwards', !chart.inverted());
	chart.update();
}

function onKey(event) {
	const typing = event.target === byId('search');
	if (event.ctrlKey || event.metaKey || event.altKey)
		return;
	if (event.key === 'Escape') {
		if (byId('search').value)
			searchFor('');
		else
			zoomTo(root);
		byId('details').hidden = true;
	} else if (event.key === '/' && !typing) {
		byId('search').focus();
		event.preventDefault();
	} else if (event.key === 'f' && !typing) {
		flip();
	}
}

let widthTimer = 0;
function onWidth() {
	clearTimeout(widthTimer);
	widthTimer = setTimeout(() => {
		const duration = chart.transitionDuration();
		if (chart.width() === chartElement.clientWidth)
			return;
		chart.transitionDuration(0).width(chartElement.clientWidth).update();
		chart.transitionDuration(duration);
	}, 100);
}

function start() {
	showHeader();
	showAlerts();
	showTiles();
	showLegend(data);
	selection.datum(data);
	chart(selection);
	root = chartElement.__data__;
	if (chart.minFrameSize() > 0.5)
		byId('narrow').textContent =
			`Frames up to ${chart.minFrameSize().toFixed(1)} px wide show when you zoom in. `;
	chart.transitionDuration(calm.matches || profile.nodes.length > 30000 ? 0 : 220);
	showFunctions();
	showProcesses();
	showEnds();
	showNames();
	showAccount();
	showCost();
	byId('search').addEventListener('input', (event) => search(event.target.value.trim()));
	byId('reset').addEventListener('click', () => zoomTo(root));
	byId('flip').addEventListener('click', flip);
	chartElement.addEventListener('keydown', onChartKey);
	document.addEventListener('keydown', onKey);
	new ResizeObserver(onWidth).observe(chartElement);
	dark.addEventListener('change', () => {
		showLegend(data);
		chart.update();
	});
}

start();
