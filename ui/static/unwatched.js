// Gradio watches each value of its configuration for changes, and reads the list of handlers twice for each component while it builds
// the page. Nothing in that list ever changes, and what is not quite a plain list is left unwatched: the page is there a fifth sooner.
// Where Gradio should be quicker than this script nothing else is lost.
class Unwatched extends Array {}

const { gradio_config: configuration } = /** @type {any} */ (globalThis);
if (configuration) configuration.dependencies = Unwatched.from(configuration.dependencies);
