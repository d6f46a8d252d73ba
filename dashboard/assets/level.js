// The calculator's level as a line over the chart of prices: dragged by its handle, or moved by the arrow keys.

const CHART = ".st-key-price_chart .chart";
const TOLD_AFTER_MS = 400;
const KEYS = { ArrowUp: 0.005, ArrowDown: -0.005, PageUp: 0.05, PageDown: -0.05 };
const levels = new WeakMap();

/** Shows the level of `data`; `tell` hears of the one to which the reader moved it. Gives the function that ends it. */
export function draw(parent, data, tell) {
  const level = levels.get(parent) ?? new Level();
  levels.set(parent, level);
  level.receive(data, tell);
  return () => setTimeout(() => parent.isConnected || level.end());
}

class Level {
  constructor() {
    this.line = Object.assign(document.createElement("div"), { className: "level", hidden: true });
    this.handle = Object.assign(document.createElement("div"), { className: "level-handle", tabIndex: 0 });
    this.handle.setAttribute("role", "slider");
    this.handle.setAttribute("aria-orientation", "vertical");
    this.line.append(this.handle);
    this.handle.onpointerdown = (event) => this.grip(event);
    this.handle.onpointermove = (event) => this.held && this.set(this.priceAt(event.clientY));
    this.handle.onpointerup = this.handle.onpointercancel = () => this.release();
    this.handle.onkeydown = (event) => this.step(event);
    this.place = this.place.bind(this);
    document.addEventListener("chart-placed", this.place);
  }

  receive(data, tell) {
    this.data = data;
    this.tell = tell;
    this.handle.setAttribute("aria-label", data.label);
    this.handle.title = data.label;
    if (!this.held && !this.waiting) this.price = data.level;
    this.place();
  }

  /** Puts the line where its price is on the chart, or at the edge beyond which it lies. */
  place() {
    const chart = document.querySelector(CHART);
    const plot = chart?.querySelector(".chart-plot");
    const layout = plot?._fullLayout;
    this.line.hidden = !layout?.yaxis || !chart.dataset.view?.startsWith(`${this.data.coin} `);
    if (this.line.hidden) return;
    if (this.line.parentElement !== chart) chart.append(this.line);
    this.plot = plot;
    const { xaxis, yaxis } = layout;
    const y = yaxis.l2p(this.price);
    const beyond = y < 0 ? "above" : y > yaxis._length ? "below" : "";
    this.line.style.top = `${plot.offsetTop + yaxis._offset + Math.min(Math.max(y, 0), yaxis._length)}px`;
    this.line.style.left = `${plot.offsetLeft + xaxis._offset}px`;
    this.line.style.width = `${xaxis._length}px`;
    this.line.dataset.beyond = beyond;
    this.handle.textContent = this.text();
    const [low, high] = yaxis.range;
    for (const [name, value] of Object.entries({ valuemin: Math.min(low, this.price), valuemax: Math.max(high, this.price), valuenow: this.price, valuetext: this.text() }))
      this.handle.setAttribute(`aria-${name}`, value);
  }

  text() {
    const { locale, decimals } = this.data;
    return new Intl.NumberFormat(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(this.price);
  }

  priceAt(clientY) {
    const { yaxis } = this.plot._fullLayout;
    const y = clientY - this.plot.getBoundingClientRect().top - yaxis._offset;
    return yaxis.p2l(Math.min(Math.max(y, 0), yaxis._length));
  }

  set(price) {
    const rounded = Number(price.toFixed(this.data.decimals));
    if (rounded <= 0) return;
    this.price = rounded;
    this.place();
  }

  grip(event) {
    event.preventDefault();
    this.handle.focus();
    this.handle.setPointerCapture(event.pointerId);
    this.held = true;
  }

  release() {
    if (!this.held) return;
    this.held = false;
    this.say();
  }

  step(event) {
    const share = KEYS[event.key];
    if (!share) return;
    event.preventDefault();
    const [low, high] = this.plot._fullLayout.yaxis.range;
    this.set(this.price + share * (high - low));
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.say(), TOLD_AFTER_MS);
  }

  say() {
    this.waiting = undefined;
    if (this.price !== this.data.level) this.tell({ coin: this.data.coin, level: this.price });
  }

  end() {
    clearTimeout(this.waiting);
    document.removeEventListener("chart-placed", this.place);
    this.line.remove();
  }
}
