Feature: Basket
  Scenario: A new basket is empty
    Given a shop
    Then the basket holds 0 items
  Scenario: Adding an item
    Given a shop
    When I add an apple
    Then the basket holds some items
