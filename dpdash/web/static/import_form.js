// A file of runs, or of one's own data, on its way to the server, which checks it; what comes back is shown as text and nothing else.

export function showImportForm({ data, parentElement, setTriggerValue }) {
  const label = parentElement.querySelector("label span");
  const input = parentElement.querySelector("input");
  const status = parentElement.querySelector("p");
  label.textContent = data.label;
  input.accept = data.accept;
  // Nobody may choose a file before somebody listens; while one is on its way, a newer call changes nothing.
  if (!input.onchange) input.disabled = false;
  // Not taken away at the end: Streamlit also ends a call that a newer one has overtaken.
  input.onchange = async () => {
    const [file] = input.files;
    if (!file) return;
    input.disabled = true;
    status.textContent = data.texts.busy;
    const answer = file.size > data.most_bytes ? { text: data.texts.large } : await sent(file, data);
    status.textContent = answer.text;
    input.value = "";
    input.disabled = false;
    if (answer.taken) setTriggerValue("imported", Date.now());
  };
}

async function sent(file, data) {
  try {
    const response = await fetch(`${data.address}&name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
    return await response.json();
  } catch {
    return { text: data.texts.lost };
  }
}
