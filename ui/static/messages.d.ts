// Messages between the page and the server, made from ui/messages/: .venv/bin/python -m tests.support.message_types

export type GalleryPicture = {
  id: string;
  width: number;
  height: number;
  created: number;
  rating: number;
  favourite: boolean;
  noted: boolean;
  control: boolean;
  kind: string;
  prompt: string;
  seed: string;
  job: string;
  deleted: number | null;
  own: boolean;
  frames: number;
  pace: number;
  told: boolean;
};

export type GalleryWindow = {
  version: number;
  total: number;
  offset: number;
  pictures: GalleryPicture[];
  chips: GalleryChip[];
  notes: string[];
};

export type GalleryChip = {
  text: string;
  field: string;
  value: string;
  negated: boolean;
};

export type GalleryHeadings = {
  version: number;
  total: number;
  counts: number[];
  keys: string[];
  titles: string[];
  notes: string[];
};

export type GalleryBoard = {
  id: string;
  name: string;
  count: number;
  own: boolean;
  shared: boolean;
  shares: boolean;
  maker: string;
  desk: boolean;
};

export type GalleryDesk = {
  id: string;
  name: string;
  shared: boolean;
};

export type GalleryBoards = {
  boards: GalleryBoard[];
};

export type GalleryOffer = {
  name: string;
  count: number;
};

export type GalleryOffers = {
  models: GalleryOffer[];
  samplers: GalleryOffer[];
  loras: GalleryOffer[];
};

export type GalleryDetails = {
  id: string;
  rating: number;
  favourite: boolean;
  note: string;
  boards: string[];
  deleted: number | null;
  needed: boolean;
};

export type GalleryKin = {
  own: boolean;
  maker: string;
  hidden: boolean;
  forked: boolean;
  origin: string;
  origin_maker: string;
  origin_own: boolean;
  forks: number;
};

export type GalleryBin = {
  count: number;
  bytes: number;
  leaving: number;
  needed: number;
};

export type GalleryChanged = {
  changed: number;
  missing: number;
  version: number;
  said: string;
};

export type GalleryDownload = {
  id: string;
  count: number;
  bytes: number;
};

export type CommentLine = {
  id: string;
  name: string;
  text: string;
  created: number;
  removable: boolean;
};

export type CommentThread = {
  number: number;
  place: number;
  spot: number[] | null;
  settled: boolean;
  settler: string;
  comments: CommentLine[];
};

export type CommentList = {
  version: number;
  count: number;
  threads: CommentThread[];
  more: boolean;
};

export type InsideCurve = {
  name: string;
  samplers: string[];
  sigmas: number[];
  drawn: boolean;
};

export type InsideSchedule = {
  planned: number;
  skipped: number;
  most: number;
  least: number;
  curves: InsideCurve[];
};

export type InsidePicture = {
  id: string;
  prompt: string;
  model: string;
  family: string;
  sampler: string;
  steps: number;
  guidance: number;
  seed: string;
  width: number;
  height: number;
  blocked: string;
  schedule: InsideSchedule | null;
  tokens: Record<string, unknown> | null;
};

export type InsideLevel = {
  sigma: number;
  timestep: number;
  signal: number;
  noise: number;
};

export type NoiseFound = {
  levels: InsideLevel[];
  exact: boolean;
};

export type LatentChannel = {
  mean: number;
  spread: number;
};

export type LatentsFound = {
  psnr: number;
  pixels: number;
  numbers: number;
  shape: number[];
  channels: LatentChannel[];
};

export type NearWord = {
  text: string;
  likeness: number;
};

export type SaidWord = {
  near: NearWord[];
  alike: number[];
};

export type EncoderSays = {
  name: string;
  layers: number;
  width: number;
  vocabulary: number;
  words: SaidWord[];
};

export type WordsFound = {
  words: string[];
  encoders: EncoderSays[];
};

export type JudgedFact = {
  said: string;
  seen: string;
  right: boolean;
  begins: boolean;
};

export type LikenessFound = {
  by: string;
  facts: JudgedFact[];
  right: number;
  total: number;
  whole: number;
  parts: NearWord[];
};

export type HeatWord = {
  text: string;
  plain: boolean;
  share: number;
};

export type HeatHeads = {
  key: string;
  title: string;
};

export type HeatLayers = {
  key: string;
  title: string;
  width: number;
  height: number;
};

export type RunBlock = {
  name: string;
  shape: number[];
};

export type RunStep = {
  number: number;
  sigma: number;
  timestep: number;
  context: number[];
  apart: number;
  blocks: RunBlock[];
};

export type RunFound = {
  done: boolean;
  same: string;
  words: HeatWord[];
  layers: HeatLayers[];
  heads: HeatHeads[];
  clearest: string;
  stretches: string[];
  guided: boolean;
  scales: number[];
  own: number;
  latents: number[];
  steps: RunStep[];
};

export type LiveHeat = {
  job: string;
  step: number;
  steps: number;
  words: HeatWord[];
  word: number;
  pictures: number;
  columns: number;
  width: number;
  height: number;
  heat: string;
  message: string;
};

export type AgainFound = {
  same: boolean;
  differing: number;
  pixels: number;
  most: number;
  reasons: string[];
};

export type InsideLook = {
  part: string;
  state: string;
  step: number;
  steps: number;
  message: string;
  found: NoiseFound | LatentsFound | WordsFound | LikenessFound | RunFound | AgainFound | null;
};

export type PersonRow = {
  person: number;
  name: string;
  role: string;
  came: number;
  seen: number;
  here: boolean;
  held: boolean;
  browsers: number;
};

export type LinkRow = {
  id: string;
  name: string;
  role: string;
  board: string;
  created: number;
  ends: number | null;
  most: number | null;
  jobs: number | null;
  megapixels: number | null;
  gigabytes: number | null;
  state: string;
  password: boolean;
  bare: boolean;
  checker: string;
  people: PersonRow[];
};

export type PeopleNews = {
  links: LinkRow[];
  held: boolean;
  may_hold: boolean;
  roles: string[];
  no_checker: string;
};

export type NewLink = {
  id: string;
  address: string;
  qr: string;
  addresses: string[];
  note: string;
};

export type ThresholdInfo = {
  title: string;
  default: number;
  low: number;
  high: number;
  step: number;
};

export type PreprocessorInfo = {
  name: string;
  info: string;
  thresholds: ThresholdInfo[];
  union_kind: string;
  missing: string;
};

export type EstimatorInfo = {
  name: string;
  info: string;
  missing: string;
};

export type FinishStepLine = {
  request: Record<string, unknown>;
  kind: string;
  title: string;
  words: string;
  prompt: string | null;
  own: boolean;
  keep: boolean;
};

export type FinishLine = {
  id: string;
  name: string;
  starts: string;
  note: string;
  steps: FinishStepLine[];
};

export type FinishList = {
  finishes: FinishLine[];
};

export type PresetLine = {
  id: string;
  name: string;
  words: string;
  keeps: string;
  about: string;
  picture: string;
  note: string;
};

export type PresetList = {
  presets: PresetLine[];
};

export type PresetPart = {
  names: string[];
  title: string;
  shown: string;
  group: string;
  usual: boolean;
};

export type PresetParts = {
  name: string;
  prompt: string;
  negative_prompt: string;
  about: string;
  instead: string[];
  parts: PresetPart[];
  note: string;
};

export type PresetWords = {
  text: string;
  added: boolean;
};

export type PresetChange = {
  title: string;
  before: string;
  after: string;
};

export type PresetLook = {
  prompt: PresetWords[] | null;
  negative_prompt: PresetWords[] | null;
  changes: PresetChange[];
  notes: string[];
  problem: string;
};

export type WrittenPrompt = {
  prompt: string;
  negative_prompt: string;
  when: number;
  picture: string;
};

export type PromptList = {
  prompts: WrittenPrompt[];
  more: boolean;
};

export type TokenPiece = {
  text: string;
  id: number;
  ends: boolean;
  weight: number;
  vectors: number;
};

export type TokenChunk = {
  used: number;
  places: number;
  pieces: TokenPiece[];
};

export type TokenView = {
  said: string;
  chunks: TokenChunk[];
  more: boolean;
};

export type CompletionItem = {
  kind: string;
  said: string;
  written: string;
  note: string;
  back: number;
};

export type JobNews = {
  job: string;
  kind: string;
  begins_with: string;
  state: string;
  version: number;
  ahead: number;
  step: number;
  steps: number;
  before: string;
  picture: number;
  pictures_total: number;
  batch_size: number;
  preparing: string;
  eta: number | null;
  previews: string[];
  frames: number;
  pace: number;
  pictures: PictureSummary[];
  message: string;
  unsaved: boolean;
};

export type PictureSummary = {
  id: string;
  width: number;
  height: number;
  seed: string;
  prompt: string;
  kind: string;
  frames: number;
  pace: number;
  from: string;
  as_drawn: string;
  note: string;
};

export type AxisOffer = {
  name: string;
  title: string;
  group: string;
  sort: string;
  hint: string;
  fill: string;
};

export type AxisOffers = {
  axes: AxisOffer[];
};

export type GridValue = {
  key: number;
  title: string;
};

export type GridAxis = {
  name: string;
  title: string;
  typed: string;
  values: GridValue[];
};

export type GridPlan = {
  axes: GridAxis[];
  counts: number[];
  problems: string[];
  problem: string;
  count: number;
  seconds: number | null;
  advice: string;
  kept: number;
  lost: number;
  relaid: boolean;
};

export type GridAxisTyped = {
  name: string;
  typed: string;
};

export type GridWay = {
  title: string;
  about: string;
  axes: GridAxisTyped[];
};

export type GridWays = {
  kind: string;
  words: string;
  ways: GridWay[];
};

export type GridCell = {
  state: string;
  message: string;
  picture: PictureSummary | null;
};

export type GridLine = {
  id: string;
  kind: string;
  words: string;
  state: string;
  axes: string[];
  count: number;
  drawn: number;
  created: number;
  pictures: string[];
};

export type GridList = {
  grids: GridLine[];
};

export type GridNews = {
  id: string;
  version: number;
  kind: string;
  title: string;
  words: string;
  width: number;
  height: number;
  state: string;
  origin: string;
  axes: GridAxis[];
  cells: Record<string, GridCell> | null;
  count: number;
  drawn: number;
  failed: number;
  seconds: number | null;
  cell: string;
  running: JobNews | null;
  message: string;
};

export type Example = {
  checkpoint: string;
  number: number;
  prompt: string;
};

export type QueuedJob = {
  job: string;
  mine: boolean;
  person: number;
  state: string;
  lane: string;
  place: number | null;
  kind: string;
  words: string;
  finish: string;
  picture: string;
  pictures: number;
  pictures_total: number;
  begun: boolean;
  start: number | null;
  left: number | null;
};

export type QueueNews = {
  version: number;
  jobs: QueuedJob[] | null;
  more: number;
  paused: boolean;
  all_paused: boolean;
  held: boolean;
  heat: LiveHeat | null;
  running: JobNews | null;
};

export type HerePerson = {
  seat: number;
  name: string;
  role: string;
  picture: string;
  follows: number;
  lets: boolean;
};

export type DrawnNow = {
  seat: number;
  name: string;
  private: boolean;
  state: string;
  width: number;
  height: number;
  step: number;
  steps: number;
  picture: number;
  pictures_total: number;
  preview: string;
};

export type TogetherNews = {
  you: number;
  version: number;
  board: string;
  name: string;
  pictures: number;
  here: HerePerson[];
  drawing: DrawnNow[];
};

export type DetailValue = {
  title: string;
  text: string;
  raw: unknown;
  fields: string[];
  default: boolean;
  info: string;
  hash: string;
  note: string;
  pictures: string[];
  parts: DetailValue[];
};

export type DetailGroup = {
  title: string;
  values: DetailValue[];
};

export type TimeStretch = {
  first: number;
  last: number;
  says: string;
  whole: string;
};

export type TimeEdge = {
  at: number;
  start: number;
  end: number;
  share: boolean;
};

export type TimeLane = {
  sort: string;
  name: string;
  strengths: number[];
};

export type TimeLine = {
  field: string;
  title: string;
  per: number;
  stretches: TimeStretch[];
  edges: TimeEdge[];
  shares: string[];
  calls: string[];
  lanes: TimeLane[];
};

export type PictureDetails = {
  id: string;
  kind: string;
  drawn_by: string;
  prompt: string;
  width: number;
  height: number;
  frames: number;
  pace: number;
  note: string;
  hidden: string;
  reveals: boolean;
  lines: TimeLine[];
  groups: DetailGroup[];
};

export type ComparedPicture = {
  id: string;
  width: number;
  height: number;
  prompt: string;
  frames: number;
  pace: number;
};

export type Differing = {
  group: string;
  title: string;
  texts: string[];
};

export type PictureComparison = {
  pictures: ComparedPicture[];
  differences: Differing[];
};

export type StepActs = {
  sort: string;
  name: string;
  strength: number;
};

export type StepLine = {
  leg: number;
  step: number;
  count: number;
  sigma: number | null;
  said: string;
  acts: StepActs[];
};

export type PictureSteps = {
  kept: boolean;
  bytes: number;
  note: string;
  seconds: number | null;
  steps: StepLine[];
  branch_leg: number;
  branch_step: number;
  branch_of: string;
};

export type LineageChange = {
  title: string;
  before: string;
  after: string;
};

export type LineageTie = {
  parent: string;
  child: string;
  how: string;
  settings: boolean;
  changes: LineageChange[];
  more: number;
};

export type LineagePicture = {
  id: string;
  width: number;
  height: number;
  kind: string;
  title: string;
  prompt: string;
  seed: string;
  own: boolean;
  deleted: boolean;
  created: number;
};

export type PictureLineage = {
  pictures: LineagePicture[];
  ties: LineageTie[];
  more: boolean;
};

export type ReadValue = {
  name: string;
  title: string;
  group: string;
  shown: string;
  how: string;
  why: string;
};

export type ReadModel = {
  field: string;
  name: string;
  hash: string;
  here: string;
  how: string;
};

export type UnknownValue = {
  name: string;
  shown: string;
};

export type ReadingNews = {
  id: string;
  kind: string;
  program: string;
  version: string;
  words_alone: boolean;
  values: ReadValue[];
  models: ReadModel[];
  unknown: UnknownValue[];
  notes: string[];
  detailers: number;
};

export type CheckedFact = {
  title: string;
  shown: string;
};

export type CheckNews = {
  format: string;
  width: number;
  height: number;
  verdict: string;
  label: string;
  labelled: boolean;
  program: string;
  prompt: string;
  facts: CheckedFact[];
  note: string;
  credential: string;
  ours: boolean;
  signed: string;
};

export type FolderNews = {
  id: string;
  name: string;
  state: string;
  copies: boolean;
  total: number;
  listed: boolean;
  done: number;
  settings: number;
  none: number;
  no_picture: number;
  unreadable: number;
  same: number;
  unopened: number;
  speed: number;
  silent: boolean;
  message: string;
};

export type FoldersNews = {
  folders: FolderNews[];
};

export type PlanQuestion = {
  values?: unknown;
  picture?: unknown;
  bounds?: unknown;
};

export type PlanLines = {
  lines: string[];
  box: number[] | null;
  label: string;
  crops: number[][];
};

export type ThingQuestion = {
  values?: unknown;
};

export type ThingSeen = {
  picture: string;
  says: string;
};

export type SizeQuestion = {
  checkpoint?: unknown;
  picture?: unknown;
  tiled?: unknown;
};

export type PictureUseLine = {
  id: string;
  name: string;
};

export type FolderPictures = {
  images: PictureUseLine[];
  notes: string[];
};

export type FinishOrder = {
  id?: unknown;
  name?: unknown;
  starts?: unknown;
  steps?: unknown;
  kind?: unknown;
  values?: unknown;
  picture?: unknown;
  ids?: unknown;
  of?: unknown;
};

export type FinishBegun = {
  count: number;
};

export type Word = {
  said: string;
  written: string;
};

export type GuidanceQuestion = {
  values?: unknown;
};

export type GuidanceCost = {
  says: string;
  shots: string[][];
};

export type OfferedFile = {
  id: string;
  name: string;
  called: string;
  variant: string;
  words: Word[];
  picture: string;
  strength: number | null;
  reason: string;
  misfit: string;
  line: string;
  suits: Record<string, unknown>;
};

export type OfferedEnlarger = {
  name: string;
  factor: number;
};

export type FormOffers = {
  starts: Record<string, Record<string, unknown>>;
  aspects: Record<string, Record<string, number[]>>;
  unnamed: Record<string, string[]>;
  enlargers: Record<string, OfferedEnlarger>;
  checkpoints: OfferedFile[];
  loras: OfferedFile[];
  hypernetworks: OfferedFile[];
  controls: OfferedFile[];
  readers: Record<string, string>;
};

export type PromptQuestion = {
  checkpoint?: unknown;
  prompt?: unknown;
  negative_prompt?: unknown;
  seed?: unknown;
  pictures?: unknown;
  form?: unknown;
};

export type PromptMark = {
  kind: string;
  start: number;
  end: number;
};

export type PromptNotes = {
  checkpoint?: string;
  name?: string;
  tokens?: number | null;
  limit?: number | null;
  parts?: string[];
  unknown?: string[];
  said?: string[];
  drawn?: string[];
  choices?: boolean;
  marks?: Record<string, PromptMark[]>;
  lines?: TimeLine[];
};

export type CompletionQuestion = {
  before?: unknown;
  text?: unknown;
  checkpoint?: unknown;
  against?: unknown;
  loras?: unknown;
};

export type CompletionList = {
  items: CompletionItem[];
};

export type TokenQuestion = {
  kind?: unknown;
  values?: unknown;
  field?: unknown;
};

export type GalleryQuestion = {
  query?: unknown;
  group?: unknown;
  order?: unknown;
  zone?: unknown;
  offset?: unknown;
  count?: unknown;
};

export type GalleryOrder = {
  ids?: unknown;
  rating?: unknown;
  favourite?: unknown;
  hidden?: unknown;
  note?: unknown;
  name?: unknown;
  settings?: unknown;
  format?: unknown;
  on?: unknown;
};

export type NewBoard = {
  id: string;
};

export type Leaving = {
  leaving: number;
};

export type GridOrder = {
  kind?: unknown;
  values?: unknown;
  picture?: unknown;
  grid?: unknown;
  axes?: unknown;
  once?: unknown;
  place?: unknown;
  at?: unknown;
  seen?: unknown;
};

export type LibraryQuestion = {
  kind?: unknown;
  search?: unknown;
  checkpoint?: unknown;
};

export type ModelQuestion = {
  id?: unknown;
  checkpoint?: unknown;
};

export type ModelDecision = {
  id?: unknown;
  checkpoint?: unknown;
  prediction_type?: unknown;
  zero_terminal_snr?: unknown;
  variant?: unknown;
  vae?: unknown;
  note?: unknown;
  steps?: unknown;
  guidance_scale?: unknown;
};

export type ConversionOrder = {
  id?: unknown;
  kind?: unknown;
};

export type DownloadOrder = {
  repo?: unknown;
  filename?: unknown;
  kind?: unknown;
  save_as?: unknown;
};

export type IdOrder = {
  id?: unknown;
};

export type PauseOrder = {
  number?: unknown;
  pauses?: unknown;
};

export type Reference = {
  id: string;
  name: string;
};

export type ModelRow = {
  id: string;
  name: string;
  called: string;
  kind: string;
  family: string;
  variant: string;
  prediction: string;
  size: number;
  hash: string;
  words: Word[];
  picture: string;
  problem: string;
  pickle: boolean;
  converted: Reference | null;
  misfit: string;
};

export type Bounds = {
  low: number;
  high: number;
  step: number;
  snap: boolean;
  clamp: boolean;
};

export type ModelDetails = {
  id: string;
  name: string;
  called: string;
  kind: string;
  family: string;
  variant: string;
  prediction: string;
  size: number;
  hash: string;
  words: Word[];
  picture: string;
  problem: string;
  pickle: boolean;
  converted: Reference | null;
  misfit: string;
  metadata: Record<string, string>;
  sorts: string[];
  decided: Record<string, unknown>;
  vaes: Reference[];
  numbers: Record<string, Bounds>;
  ways_title: string;
  ways: Reference[];
};

export type GoodModelRow = {
  name: string;
  kind: string;
  family: string;
  repo: string;
  filename: string;
  size: number;
  licence: string;
  why: string;
  save_as: string;
};

export type LibraryList = {
  version: number;
  scanning: boolean;
  notes: string[];
  owner: boolean;
  kinds: Record<string, number>;
  total: number;
  sorts: string[];
  models: ModelRow[];
  good: GoodModelRow[];
};

export type MemoryRow = {
  id: string;
  name: string;
  kind: string;
  tier: string;
  bytes: number;
  last_used: number;
  in_use: boolean;
};

export type DeviceRow = {
  number: number;
  title: string;
  state: string;
  message: string;
  paused: boolean;
  memory: number;
  used: number;
  seconds: number | null;
  draws: boolean;
  words: string;
  share: number;
  coming: string;
  held: MemoryRow[];
};

export type DownloadRow = {
  id: string;
  name: string;
  done: number;
  total: number;
  state: string;
  message: string;
  ended: boolean;
};

export type HashLine = {
  hash: string;
};

export type Done = {
};

export type Failure = {
  error: string;
};

export type Message = {
  message: string;
};

export type TakenPicture = {
  id: string;
  width: number;
  height: number;
  notes: string[];
  mask: string;
};

export type SigningState = {
  on: boolean;
  available: boolean;
};

export type ClipFiles = {
  lossless: boolean;
  beside: string;
};

export type Started = {
  id: string;
};

export type TunnelWay = {
  name: string;
  says: string;
  reaches: string;
};

export type TunnelNews = {
  state: string;
  way: string;
  address: string;
  said: string;
};

export type ReachNews = {
  addresses: string[];
  certificate: string;
  fingerprint: string;
  ways: TunnelWay[];
  tunnel: TunnelNews;
};

export type LinkOrder = {
  name?: unknown;
  role?: unknown;
  board?: unknown;
  hours?: unknown;
  people?: unknown;
  jobs?: unknown;
  megapixels?: unknown;
  gigabytes?: unknown;
  bare?: unknown;
  checker?: unknown;
  held?: unknown;
};

export type CommentOrder = {
  text?: unknown;
  parent?: unknown;
  spot?: unknown;
  settled?: unknown;
};

export type NewComment = {
  id: string;
};

export type TogetherOrder = {
  picture?: unknown;
  follows?: unknown;
  lets?: unknown;
};

export type PresetOrder = {
  id?: unknown;
  ids?: unknown;
  name?: unknown;
  prompt?: unknown;
  negative_prompt?: unknown;
  about?: unknown;
  instead?: unknown;
  kind?: unknown;
  values?: unknown;
  names?: unknown;
};

export type PresetsBrought = {
  ids: string[];
  notes: string[];
};

export type QueueOrder = {
  job?: unknown;
  jobs?: unknown;
  before?: unknown;
  lane?: unknown;
  running?: unknown;
  paused?: unknown;
  whole?: unknown;
  once?: unknown;
  request?: unknown;
};

export type QueueDone = {
  jobs: string[];
};

export type TakenJob = {
  job: string;
  request: Record<string, unknown>;
};

export type TakenKind = {
  kind: string;
};

export type PutBackOrder = {
  job?: unknown;
  kind?: unknown;
  values?: unknown;
};

export type StageStart = {
  recent: PictureSummary[];
  news: string;
  examples: Example[];
};

export type EngineState = {
  state: string;
  message: string;
};

export type You = {
  name: string;
  role: string;
  may: string[];
  board: string;
  held: boolean;
  bare: boolean;
  note: string;
};

export type StudioState = {
  job: string | null;
  newest: string;
  engine: EngineState;
  library: number;
  login: boolean;
  you: You;
  comments: number;
  desk: GalleryDesk | null;
  mp4: boolean;
};

export type PictureShown = {
  id: string;
  kind: string;
  drawn_by: string;
  prompt: string;
  width: number;
  height: number;
  frames: number;
  pace: number;
  note: string;
  hidden: string;
  reveals: boolean;
  lines: TimeLine[];
  groups: DetailGroup[];
  kin: GalleryKin;
};

export type BranchOrder = {
  leg?: unknown;
  step?: unknown;
  kind?: unknown;
  values?: unknown;
  lane?: unknown;
  once?: unknown;
};

export type UnitQuestion = {
  unit?: unknown;
};

export type UnitMap = {
  id: string;
  width: number;
  height: number;
};

export type DetailsQuestion = {
  detailers?: unknown;
  image?: unknown;
  mask?: unknown;
};

export type DetailBoxLine = {
  left: number;
  top: number;
  right: number;
  bottom: number;
  prompt: string;
  strength: number;
  template: string;
};

export type FoundBoxes = {
  boxes: DetailBoxLine[];
  labels: string[];
  words: string;
};

export type OfferedDetector = {
  name: string;
  info: string;
  why: string;
};

export type UnitField = {
  title: string;
  info: string;
  sort: string;
  default: unknown;
  low: number;
  high: number;
  step: number;
  snap: boolean;
  names: string[];
};

export type UnitOffers = {
  fields: Record<string, UnitField>;
  places: Record<string, string[]>;
  matters: string[];
  curves: Record<string, number[]>;
};

export type Weights = {
  files: number;
  repo: string;
};

export type OfferedPreprocessor = {
  name: string;
  info: string;
  thresholds: ThresholdInfo[];
  union_kind: string;
  missing: string;
  download: Weights;
};

export type OfferedEstimator = {
  name: string;
  info: string;
  missing: string;
  download: Weights;
};

export type WeightsOrder = {
  name?: unknown;
};

export type WeightsState = {
  state: string;
  files: number;
  arrived: number;
  done: number;
  total: number;
  message: string;
};

export type DepthQuestion = {
  image?: unknown;
  estimator?: unknown;
};

export type ReadersQuestion = {
  checkpoint?: unknown;
  controls?: unknown;
};

export type ReadersLine = {
  checkpoint: boolean;
  controlnet: boolean;
  words: string;
};

export type DriveOrder = {
  checkpoint?: unknown;
  controls?: unknown;
  way?: unknown;
};

export type Driven = {
  checkpoint: string;
  controls: Record<string, unknown>[];
};
