"""Networks that steer a drawing by a picture: ControlNets, unions, T2I-Adapters, Control-LoRAs, read from their files."""
