// The warnings of the run, newest first: the newest is always read, the others on a click.

export class Warned {
  // resized(): it takes more or less room than before
  constructor(root, resized) {
    this.root = root;
    this.summary = root.querySelector("summary");
    this.list = root.querySelector("ol");
    this.resized = resized;
    this.said = "";
    root.addEventListener("toggle", resized);
  }

  // all: [{at: Unix seconds, text}], newest first; total: how many there ever were
  show(all, total) {
    const said = JSON.stringify([all, total]);
    if (said === this.said) return; // what a person has marked or scrolled stays
    this.said = said;
    this.root.hidden = !all.length;
    if (all.length) {
      const count = document.createElement("b"), newest = document.createElement("span");
      count.textContent = total === 1 ? "1 warning" : `${total} warnings`;
      newest.textContent = all[0].text;
      this.summary.replaceChildren(count, newest);
    }
    this.list.replaceChildren(...all.map(({ at, text }) => {
      const item = document.createElement("li"), time = document.createElement("time"), words = document.createElement("span");
      const date = new Date(1000 * at);
      time.dateTime = date.toISOString();
      time.title = date.toLocaleString();
      time.textContent = date.toLocaleTimeString([], { hour12: false });
      words.textContent = text;
      item.append(time, words);
      return item;
    }));
    this.resized();
  }
}
