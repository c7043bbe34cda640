BASKET = []
