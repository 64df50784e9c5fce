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
