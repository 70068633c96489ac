"""Control networks: ControlNets, unions, T2I-Adapters and Control-LoRAs, read from their files."""
