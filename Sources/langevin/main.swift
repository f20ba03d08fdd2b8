print("langevin")
