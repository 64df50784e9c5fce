// The link of the page as the browser has it, and a button that copies it.

const EVERY = 500; // ms between two looks at the link

export default function ({ parentElement }) {
  parentElement.querySelector(".link")?.remove();
  const root = element("div", "link", parentElement);
  const field = element("input", "href", root);
  field.readOnly = true;
  field.setAttribute("aria-label", "Link to what is shown");
  const button = element("button", "copy", root, "Copy");
  button.type = "button";
  const said = element("span", "said", root, "");
  said.setAttribute("role", "status");
  const show = () => {
    if (field.value !== location.href) field.value = location.href;
  };
  const copied = () => write(said, "Copied.");
  const byHand = () => {
    field.select();
    write(said, "Press Ctrl+C to copy.");
  };
  field.addEventListener("focus", () => field.select());
  button.addEventListener("click", () => {
    show();
    if (navigator.clipboard) navigator.clipboard.writeText(field.value).then(copied, byHand);
    else byHand();
  });
  show();
  const timer = setInterval(show, EVERY);
  return () => clearInterval(timer);
}
