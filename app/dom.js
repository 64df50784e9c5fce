// Small helpers that all parts of the player share.

function element(tag, className, parent, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

// Change a text only where it is another, and without a new node: many times a second, that would fill the memory.
function write(node, text) {
  if (node.textContent === text) return;
  if (node.firstChild) node.firstChild.data = text;
  else node.textContent = text;
}

const styles = new WeakMap();

// Set properties of a node's style that are others than those set last: every setting costs the browser a new style.
function style(node, properties) {
  if (!styles.has(node)) styles.set(node, {});
  const last = styles.get(node);
  for (const [name, value] of Object.entries(properties)) {
    if (last[name] === value) continue;
    last[name] = value;
    node.style[name] = value;
  }
}
