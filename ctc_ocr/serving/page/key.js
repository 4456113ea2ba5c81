// The API key: asked for when the server wants one, and kept in this tab's memory until it is closed.

const NAME = "ctc_ocr_api_key";
let asked = null;

export const apiKey = () => sessionStorage.getItem(NAME);

// Resolves when there is another key than `used`, the one that the server did not take.
export function askForKey(used) {
  if (apiKey() !== used) return Promise.resolve();
  asked ??= new Promise((resolve) => show(used, resolve)).then(() => { asked = null; });
  return asked;
}

function show(used, resolve) {
  const form = document.getElementById("key");
  const input = document.getElementById("key-input");
  document.getElementById("key-reason").textContent =
    used === null ? "This server reads with a key only." : "The server does not know this key. Try another one.";
  form.hidden = false;
  input.value = "";
  input.focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    sessionStorage.setItem(NAME, input.value.trim());
    input.value = "";
    form.hidden = true;
    resolve();
  };
}
